/**
 * The index of a repository in memory: ten million blobs in index files as a backup writes them, loaded in a process of
 * its own, once as backups and restores do it and once as maintenance does. `--scale 0.1` takes a million. Ends with
 * exit code 1 when a blob takes more than `MAX_BYTES_PER_BLOB`.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { BenchOptions } from './bench-options.ts';
import { measureProcess } from './measure.ts';
import { storedBytes } from './repository-programs.ts';
import { verdictOf } from './repository-targets.ts';
import { type LoadFigures, loadKinds } from './resident-index-job.ts';
import { describeMachine, formatTable, writeSection } from './results.ts';
import { type SyntheticIndex, writeSyntheticIndex } from './synthetic-index.ts';

const MAX_BYTES_PER_BLOB = 75;
/** With fewer blobs the buffers that files are read into, some 30 MB whatever the index, are more than the index. */
const MIN_BLOBS_FOR_RSS = 5_000_000;

/** Runs it and prints two tables; with `isWriting` they go into docs/benchmarks.md too. */
export async function benchIndex(options: BenchOptions): Promise<void> {
  const work = path.join(options.workFolder ?? tmpdir(), 'backupx-bench');
  mkdirSync(work, { recursive: true });
  const folder = mkdtempSync(path.join(work, 'index-'));
  const rows: string[][] = [];
  const verdicts: string[][] = [];
  try {
    const index = await writeSyntheticIndex(folder, Math.round(10_000_000 * options.scale));
    const stored = (storedBytes(folder) / 1e6).toFixed(0);
    for (const [kind, what] of Object.entries(loadKinds)) {
      const figures = await load(index, kind);
      rows.push(rowOf(what, figures));
      verdicts.push(...judge(what, figures));
    }
    const text = `Machine: ${describeMachine()}. ${index.blobs} blobs in ${index.packs} packs, ${index.files} index files of ${stored} MB together.

${formatTable(['loaded for', 'index, bytes per blob', 'RSS after loading, bytes per blob', 'RSS at most, bytes per blob', 'loading, CPU s', 'look-ups per CPU s'], rows, 1)}

${formatTable(['bytes per blob', 'limit', 'measured', ''], verdicts, 1)}
`;
    console.log(text);
    if (verdicts.some((row) => row.at(-1) !== 'holds')) process.exitCode = 1;
    if (options.isWriting) writeSection('index', text);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function load({ folder, masterKey, blobs }: SyntheticIndex, kind: string): Promise<LoadFigures> {
  const { stdout } = await measureProcess({
    program: process.execPath,
    args: [path.join(import.meta.dirname, 'resident-index-job.ts'), folder, kind, String(blobs)],
    env: { BENCH_MASTER_KEY: masterKey },
  });
  return JSON.parse(stdout) as LoadFigures;
}

function rowOf(what: string, figures: LoadFigures): string[] {
  const { blobs, indexBytes, rssAfter, rssPeak, loadCpuSeconds, lookUpsPerSecond } = figures;
  const perBlob = [indexBytes, rssAfter, rssPeak].map((bytes) => (bytes / blobs).toFixed(1));
  return [what, ...perBlob, loadCpuSeconds.toFixed(1), lookUpsPerSecond.toFixed(0)];
}

function judge(what: string, { blobs, indexBytes, rssAfter, rssPeak }: LoadFigures): string[][] {
  const judged: [string, number][] = [[`${what}: the index`, indexBytes]];
  if (blobs >= MIN_BLOBS_FOR_RSS)
    judged.push([`${what}: RSS after loading`, rssAfter], [`${what}: RSS at most`, rssPeak]);
  return judged.map(([name, bytes]) => [
    name,
    `≤ ${MAX_BYTES_PER_BLOB}`,
    ...verdictOf(bytes / blobs, MAX_BYTES_PER_BLOB, 1),
  ]);
}
