/**
 * Archive backup and restore against `tar | zstd -3 -T2` and `tar | gzip`: alternated rounds, medians, ratios.
 * Ours also encrypts (in one variant), hashes, lists the contents and syncs to disk; theirs do not.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { BenchOptions } from './bench-options.ts';
import { type Corpus, createLargeFiles, createSmallFiles } from './corpora.ts';
import { type Measurement, measure, median } from './measure.ts';
import { describeMachine, writeSection } from './results.ts';

interface Contestant {
  readonly name: string;
  run(corpus: Corpus, work: string): Measurement;
}

const node = `'${process.execPath}' '${path.join(import.meta.dirname, 'archive-job.ts')}'`;
const quote = (text: string): string => `'${text}'`;
const key = JSON.parse(measure(`${node} key x ${quote(path.join(tmpdir(), 'backupx-bench-key'))} plain`).stdout)
  .result as object;
const encryptions = { plain: 'plain', encrypted: JSON.stringify(key) } as const;

const backups: readonly Contestant[] = [
  {
    name: 'tar \\| zstd -3 -T2',
    run: (corpus, work) =>
      measure(
        `tar -C ${quote(corpus.folder)} -cf - . | zstd -q -3 -T2 -o ${work}/theirs.tar.zst -f; sync -d ${work}/theirs.tar.zst`,
      ),
  },
  {
    name: 'tar \\| gzip',
    run: (corpus, work) =>
      measure(`tar -C ${quote(corpus.folder)} -cf - . | gzip > ${work}/theirs.tar.gz; sync -d ${work}/theirs.tar.gz`),
  },
  {
    name: 'BackupX, zstd',
    run: (corpus, work) => measure(`${node} backup ${quote(corpus.folder)} ${work}/plain plain`),
  },
  {
    name: 'BackupX, zstd + age',
    run: (corpus, work) =>
      measure(`${node} backup ${quote(corpus.folder)} ${work}/encrypted ${quote(encryptions.encrypted)}`),
  },
];

function restores(artifacts: Readonly<Record<string, string>>): readonly Contestant[] {
  const ours = (kind: 'plain' | 'encrypted'): Contestant => ({
    name: kind === 'plain' ? 'BackupX, zstd' : 'BackupX, zstd + age',
    run: (corpus, work) =>
      measure(
        `${node} restore ${quote(corpus.folder)} ${work}/${kind} ${quote(encryptions[kind])} ${quote(artifacts[kind] ?? '{}')} ${work}/out`,
      ),
  });
  return [
    {
      name: 'zstd -d \\| tar -x',
      run: (_corpus, work) =>
        measure(`mkdir -p ${work}/out; zstd -q -dc ${work}/theirs.tar.zst | tar -C ${work}/out -xf -`),
    },
    ours('plain'),
    ours('encrypted'),
  ];
}

interface Row {
  readonly cells: readonly string[];
}

function compete(
  contestants: readonly Contestant[],
  corpus: Corpus,
  work: string,
  rounds: number,
): { rows: Row[]; last: Map<string, Measurement> } {
  const results = new Map<string, Measurement[]>(contestants.map((contestant) => [contestant.name, []]));
  for (let round = 0; round <= rounds; round++) {
    for (const contestant of contestants) {
      rmSync(path.join(work, 'out'), { recursive: true, force: true });
      const measured = contestant.run(corpus, work);
      // Round 0 warms the page cache and is not counted.
      if (round > 0) results.get(contestant.name)?.push(measured);
    }
  }
  const first = results.get(contestants[0]?.name ?? '') ?? [];
  const reference = {
    cpu: median(first.map((one) => one.cpuSeconds)),
    wall: median(first.map((one) => one.wallSeconds)),
  };
  const rows = [...results].map(([name, measured]) => {
    const cpu = median(measured.map((one) => one.cpuSeconds));
    const wall = median(measured.map((one) => one.wallSeconds));
    const peak = /"peakMegabytes":(\d+)/.exec(measured.at(-1)?.stdout ?? '')?.[1] ?? '';
    return {
      cells: [
        corpus.name,
        name,
        cpu.toFixed(2),
        wall.toFixed(2),
        (cpu / reference.cpu).toFixed(2),
        (wall / reference.wall).toFixed(2),
        peak,
      ],
    };
  });
  return { rows, last: new Map([...results].map(([name, measured]) => [name, measured.at(-1) as Measurement])) };
}

function table(rows: readonly Row[]): string {
  const head = '| data | program | CPU s | wall s | CPU ratio | wall ratio | peak MB |\n|---|---|--:|--:|--:|--:|--:|';
  return [head, ...rows.map((row) => `| ${row.cells.join(' | ')} |`)].join('\n');
}

/** Runs the suite and prints two tables; with `isWriting` they go into docs/benchmarks.md too. */
export async function benchArchive(options: BenchOptions): Promise<void> {
  const work = path.join(options.workFolder ?? tmpdir(), 'backupx-bench');
  mkdirSync(work, { recursive: true });
  const backupRows: Row[] = [];
  const restoreRows: Row[] = [];
  for (const corpus of [createSmallFiles(work, options.scale), createLargeFiles(work, options.scale)]) {
    const backed = compete(backups, corpus, work, options.rounds);
    backupRows.push(...backed.rows);
    const artifactOf = (name: string): string =>
      JSON.stringify((JSON.parse(backed.last.get(name)?.stdout ?? '{}') as { result: object }).result);
    const artifacts = { plain: artifactOf('BackupX, zstd'), encrypted: artifactOf('BackupX, zstd + age') };
    restoreRows.push(...compete(restores(artifacts), corpus, work, options.rounds).rows);
  }
  const text = `Machine: ${describeMachine()}. Medians of ${options.rounds} alternated rounds after one to warm up; ratios against the first row of each group.\n\n### Backup\n\n${table(backupRows)}\n\n### Restore\n\n${table(restoreRows)}\n`;
  console.log(text);
  if (options.isWriting) writeSection('archive', text);
  rmSync(path.join(work, 'out'), { recursive: true, force: true });
}
