/**
 * A database of 1 GB: its dump and its restore against the plain tool with gzip and with zstd, and what a second dump
 * stores after one per cent of the rows has changed, against restic on the plain tool's output. Only the clients are
 * measured; the server works for all of them alike.
 */
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import type { JobKind, JobOf, RunBackupResult, RunRestoreJob } from '@backupx/contracts/jobs';
import { createRunner } from '../tests/support/repository.ts';
import { type BackupMode, createSourceJobs, type SourceJobs } from '../tests/support/source-jobs.ts';
import { makeWorkFolder } from '../tests/support/work-folder.ts';
import type { BenchOptions } from './bench-options.ts';
import { type BenchDatabase, startMariadbBench, startPostgresqlBench } from './database-servers.ts';
import { measureProcess, median, type ProcessMeasurement } from './measure.ts';
import { storedBytes } from './repository-programs.ts';
import { describeMachine, formatTable, writeSection } from './results.ts';

const servers: Readonly<Record<string, (scale: number) => Promise<BenchDatabase>>> = {
  postgresql: startPostgresqlBench,
  mariadb: startMariadbBench,
};

type Phase = 'dump' | 'dump after 1 % changed' | 'restore';
const phases: readonly Phase[] = ['dump', 'dump after 1 % changed', 'restore'];

interface Contestant {
  readonly name: string;
  /** Answers what it took and the bytes it added. */
  dump(): Promise<{ measured: ProcessMeasurement; bytes: number }>;
  /** Null: it only stores. */
  restore: (() => Promise<ProcessMeasurement>) | null;
}

interface Figures {
  readonly measured: ProcessMeasurement[];
  readonly bytes: number[];
}
type Results = Map<string, Record<Phase, Figures>>;

function shell(script: string, env: Readonly<Record<string, string>>): Promise<ProcessMeasurement> {
  return measureProcess({ program: 'bash', args: ['-c', `set -euo pipefail; ${script}`], env });
}

function plain(database: BenchDatabase, folder: string, [pack, unpack]: readonly [string, string]): Contestant {
  const file = path.join(folder, `plain.${pack.split(' ')[0]}`);
  return {
    name: `${database.plainTool} \\| ${pack}`,
    async dump() {
      const measured = await shell(`${database.dump} | ${pack} > '${file}'; sync -d '${file}'`, database.env);
      return { measured, bytes: statSync(file).size };
    },
    restore: () => shell(`${unpack} '${file}' | { ${database.load}; }`, database.env),
  };
}

function restic(database: BenchDatabase, folder: string): Contestant {
  const repository = path.join(folder, 'restic');
  const env = { ...database.env, RESTIC_REPOSITORY: repository, RESTIC_PASSWORD: 'benchmark' };
  const run = `restic -q --cache-dir '${folder}/restic.cache'`;
  return {
    name: `${database.plainTool} \\| restic`,
    async dump() {
      if (!existsSync(repository)) await shell(`${run} init --repository-version 2`, env);
      const before = storedBytes(repository);
      const measured = await shell(`${database.dump} | ${run} backup --stdin --stdin-filename dump.sql`, env);
      return { measured, bytes: storedBytes(repository) - before };
    },
    restore: () => shell(`${run} dump latest dump.sql | { ${database.load}; }`, env),
  };
}

/** One job of ours in a process of its own. */
async function runJob<K extends JobKind>(job: JobOf<K>, tempDir: string): Promise<ProcessMeasurement> {
  return await measureProcess({
    program: process.execPath,
    args: [path.join(import.meta.dirname, 'run-job.mjs'), tempDir],
    input: JSON.stringify(job),
  });
}

function ours(
  database: BenchDatabase,
  jobs: SourceJobs,
  { mode, tempDir }: { mode: BackupMode; tempDir: string },
): Contestant {
  let last: RunBackupResult | null = null;
  return {
    name: `BackupX, ${mode === 'archive' ? 'archive' : 'repository'}`,
    async dump() {
      const before = storedBytes(jobs.store);
      const measured = await runJob(jobs.backupJob(database.source), tempDir);
      const result = JSON.parse(measured.stdout) as RunBackupResult;
      if (result.status !== 'success') throw new Error(`a backup with problems: ${JSON.stringify(result.problems)}`);
      last = result;
      return { measured, bytes: storedBytes(jobs.store) - before };
    },
    async restore() {
      if (!last) throw new Error('nothing was dumped');
      const job: RunRestoreJob = {
        ...{ kind: 'run_restore', restoreRecordId: 1, recordId: 1, taskName: 'bench', source: database.source },
        artifact: jobs.artifactOf(last),
        ...{ targetPath: null, paths: null, overwrite: 'always', options: { replaceExisting: true } },
      };
      return await runJob(job, tempDir);
    },
  };
}

async function runRounds(database: BenchDatabase, options: BenchOptions, results: Results): Promise<void> {
  const work = makeWorkFolder('bench-databases');
  const runner = createRunner(work.at('temp'));
  try {
    for (let round = 0; round < options.rounds; round++) {
      const folder = mkdtempSync(path.join(work.path, 'round-'));
      const place = { ...work, path: folder, at: (...parts: string[]) => path.join(folder, ...parts) };
      const tempDir = work.at('temp');
      const contestants = [
        plain(database, folder, ['gzip', 'gzip -dc']),
        plain(database, folder, ['zstd -q -3 -T2', 'zstd -q -dc']),
        restic(database, folder),
        ours(database, await createSourceJobs(runner, place, 'archive'), { mode: 'archive', tempDir }),
        ours(database, await createSourceJobs(runner, place, 'repository'), { mode: 'repository', tempDir }),
      ];
      console.log(`${database.title}, round ${round + 1} of ${options.rounds}`);
      await runRound(database, contestants, results);
      rmSync(folder, { recursive: true, force: true });
    }
  } finally {
    await runner.close();
    work.remove();
  }
}

async function runRound(database: BenchDatabase, contestants: readonly Contestant[], results: Results): Promise<void> {
  const note = (contestant: Contestant, phase: Phase, measured: ProcessMeasurement, bytes: number): void => {
    const empty = (): Figures => ({ measured: [], bytes: [] });
    const own = results.get(contestant.name) ?? { dump: empty(), 'dump after 1 % changed': empty(), restore: empty() };
    results.set(contestant.name, own);
    own[phase].measured.push(measured);
    own[phase].bytes.push(bytes);
    console.log(`  ${phase}, ${contestant.name}: ${measured.cpuSeconds.toFixed(2)} s CPU, ${measured.wallSeconds} s`);
  };
  for (const phase of ['dump', 'dump after 1 % changed'] as const) {
    if (phase !== 'dump') database.change();
    for (const contestant of contestants) {
      const { measured, bytes } = await contestant.dump();
      note(contestant, phase, measured, bytes);
    }
  }
  const wanted = database.digest();
  for (const contestant of contestants) {
    if (!contestant.restore) continue;
    note(contestant, 'restore', await contestant.restore(), 0);
    if (database.digest() !== wanted) throw new Error(`${contestant.name} brought back other rows`);
  }
}

function render(results: ReadonlyMap<string, Results>, rounds: number): string {
  const rows: string[][] = [];
  for (const [title, own] of results) {
    for (const phase of phases) {
      const all = [...own].map(([name, figures]) => ({ name, figures: figures[phase] }));
      const [reference] = all;
      for (const { name, figures } of all) rows.push([title, phase, name, ...cellsOf(figures, reference?.figures)]);
    }
  }
  const head = ['server', 'run', 'program', 'CPU s', 'wall s', 'peak MB', 'added MB', 'CPU ratio', 'wall ratio'];
  return `Machine: ${describeMachine()}. Medians of ${rounds} round(s); ratios against the first row of each group.\n\n${formatTable(head, rows, 3)}\n`;
}

const cpu = (figures: Figures): number => median(figures.measured.map((one) => one.cpuSeconds));
const wall = (figures: Figures): number => median(figures.measured.map((one) => one.wallSeconds));

function cellsOf(own: Figures, reference: Figures = own): string[] {
  const bytes = median(own.bytes);
  const peak = median(own.measured.map((one) => one.peakMegabytes));
  return [
    ...[cpu(own).toFixed(2), wall(own).toFixed(2), peak.toFixed(0), bytes === 0 ? '' : (bytes / 1e6).toFixed(1)],
    ...[(cpu(own) / cpu(reference)).toFixed(2), (wall(own) / wall(reference)).toFixed(2)],
  ];
}

/** Runs the suite and prints a table; with `isWriting` it goes into docs/benchmarks.md too. `--corpus` names a server. */
export async function benchDatabases(options: BenchOptions): Promise<void> {
  const results = new Map<string, Results>();
  for (const name of options.corpora.length > 0 ? options.corpora : Object.keys(servers)) {
    const start = servers[name];
    if (!start) throw new Error(`no server ${name}: ${Object.keys(servers).join(', ')}`);
    const database = await start(options.scale);
    const own: Results = new Map();
    results.set(database.title, own);
    try {
      await runRounds(database, options, own);
    } finally {
      await database.stop();
    }
  }
  const text = render(results, options.rounds);
  console.log(text);
  if (options.isWriting) writeSection('databases', text);
}
