/**
 * Backups into deduplicating repositories: stock restic and borg against ours, alternated, on three generated corpora:
 * first backup, unchanged second, third after one per cent has changed, restore. Whole processes are measured.
 * Repositories lie on disk, restores go to memory; what is backed up is read once before each first backup, because
 * borg drops from the page cache what it has read.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { BenchOptions } from './bench-options.ts';
import { type Corpus, createLargeFiles, createSmallFiles, createSqlDump } from './corpora.ts';
import { median, type ProcessMeasurement } from './measure.ts';
import { mutateCorpus } from './mutate.ts';
import { findPrograms, ours, type RepositoryProgram, storedBytes } from './repository-programs.ts';
import { judgeTargets, type PhaseFigures, phases, type Results } from './repository-targets.ts';
import { describeMachine, formatTable, writeSection } from './results.ts';

const makers: Readonly<Record<string, (work: string, scale: number) => Corpus>> = {
  small: (work, scale) => createSmallFiles(work, 1.9 * scale, 1.45),
  large: (work, scale) => createLargeFiles(work, 1.25 * scale),
  sql: createSqlDump,
};
/** Places that change, see `mutateCorpus`. */
const stretches: Readonly<Record<string, number>> = { small: 1, large: 1, sql: 20 };

/** Runs the suite and prints tables; with `isWriting` they go into docs/benchmarks.md too. */
export async function benchRepository(options: BenchOptions): Promise<void> {
  const work = path.join(options.workFolder ?? tmpdir(), 'backupx-bench');
  mkdirSync(work, { recursive: true });
  const programs = findPrograms();
  const results: Results = new Map();
  const names = options.corpora.length > 0 ? options.corpora : Object.keys(makers);
  for (const name of names) {
    const corpus = makers[name]?.(work, options.scale);
    if (!corpus) throw new Error(`no corpus ${name}: ${Object.keys(makers).join(', ')}`);
    const figures = new Map<string, PhaseFigures>();
    for (let round = 0; round < options.rounds; round++) {
      console.log(`${corpus.name}, round ${round + 1} of ${options.rounds}`);
      await runRound({ corpus, stretches: stretches[name] ?? 1, programs, work, figures, round });
    }
    results.set(name, { corpus, figures });
  }
  const text = render(results, programs, options.rounds);
  console.log(text);
  if (options.isWriting) writeSection('repository', text);
}

interface Round {
  readonly corpus: Corpus;
  readonly stretches: number;
  readonly programs: readonly RepositoryProgram[];
  readonly work: string;
  readonly figures: Map<string, PhaseFigures>;
  readonly round: number;
}

async function runRound({ corpus, stretches: places, programs, work, figures, round }: Round): Promise<void> {
  const folder = mkdtempSync(path.join(work, 'round-'));
  const memory = existsSync('/dev/shm') ? mkdtempSync('/dev/shm/backupx-bench-') : folder;
  const at = (index: number): string => path.join(folder, `repository-${index}`);
  // Who goes first changes from round to round.
  const order = programs.map((_program, index) => (index + round) % programs.length);
  const snapshots = new Map<number, string>();
  const record = (index: number, phase: (typeof phases)[number], measured: ProcessMeasurement): void => {
    const name = programs[index]?.name ?? '';
    const own = figures.get(name) ?? { first: [], unchanged: [], changed: [], restore: [], storedBytes: [] };
    figures.set(name, own);
    own[phase].push(measured);
    if (phase === 'first') own.storedBytes.push(storedBytes(at(index)));
  };
  const backUp = async (phase: 'first' | 'unchanged' | 'changed'): Promise<void> => {
    for (const index of order) {
      const program = programs[index];
      if (!program) continue;
      if (phase === 'first') await program.init(at(index));
      warmUp(corpus.folder);
      const { measurement, snapshot } = await program.backup(at(index), corpus.folder);
      record(index, phase, measurement);
      snapshots.set(index, snapshot);
    }
  };
  try {
    await backUp('first');
    await backUp('unchanged');
    mutateCorpus(corpus.folder, places);
    try {
      await backUp('changed');
      for (const index of order) {
        const program = programs[index];
        const target = path.join(memory, 'out');
        if (!program) continue;
        mkdirSync(target);
        record(index, 'restore', await program.restore(at(index), target, snapshots.get(index) ?? ''));
        if (program === ours && round === 0) compareFolders(corpus.folder, path.join(target, corpus.folder));
        rmSync(target, { recursive: true });
      }
    } finally {
      mutateCorpus(corpus.folder, places);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
    rmSync(memory, { recursive: true, force: true });
  }
}

/** Reads everything once, and lets the disk come to rest. */
function warmUp(folder: string): void {
  spawnSync('bash', ['-c', 'tar -C "$1" -cf - . | cat > /dev/null; sync', 'bash', folder]);
}

function compareFolders(original: string, restored: string): void {
  const result = spawnSync('diff', ['-rq', original, restored], { encoding: 'utf8' });
  if (result.status !== 0) throw new Error(`the restore differs:\n${result.stdout}${result.stderr}`.slice(0, 2000));
}

const KEYS =
  'BackupX opens its repository by the master key, as in runs that a master orders; the others make a key of a password first, and that is part of their figures.';

const titles: Readonly<Record<(typeof phases)[number], string>> = {
  first: 'first backup',
  unchanged: 'unchanged',
  changed: 'after 1 % changed',
  restore: 'restore',
};

function render(results: Results, programs: readonly RepositoryProgram[], rounds: number): string {
  const restics = programs.map(({ name }) => name).filter((name) => name.startsWith('restic '));
  const head = ['data', 'run', 'program', 'CPU s', 'wall s', 'peak MB', 'stored MB'];
  for (const name of restics) head.push(`CPU / ${name}`, `wall / ${name}`);
  const rows: string[][] = [];
  for (const { corpus, figures } of results.values()) {
    for (const phase of phases) {
      const references = restics.map((name) => figures.get(name)?.[phase] ?? []);
      for (const [name, own] of figures) {
        const ratios = references.flatMap((reference) => ratiosOf(own[phase], reference));
        rows.push([corpus.name, titles[phase], name, ...cellsOf(own, phase), ...ratios]);
      }
    }
  }
  const text = [
    `Machine: ${describeMachine()}. Medians of ${rounds} alternated round(s), whole processes. ${KEYS}`,
    formatTable(head, rows, 3),
    judgeTargets(results),
  ];
  return `${text.join('\n\n')}\n`;
}

const cpuOf = (all: readonly ProcessMeasurement[]): number => median(all.map((one) => one.cpuSeconds));
const wallOf = (all: readonly ProcessMeasurement[]): number => median(all.map((one) => one.wallSeconds));

function cellsOf(own: PhaseFigures, phase: (typeof phases)[number]): string[] {
  const peak = median(own[phase].map((one) => one.peakMegabytes));
  const stored = phase === 'first' ? (median(own.storedBytes) / 1e6).toFixed(1) : '';
  return [cpuOf(own[phase]).toFixed(2), wallOf(own[phase]).toFixed(2), peak.toFixed(0), stored];
}

function ratiosOf(own: readonly ProcessMeasurement[], reference: readonly ProcessMeasurement[]): string[] {
  return [(cpuOf(own) / cpuOf(reference)).toFixed(2), (wallOf(own) / wallOf(reference)).toFixed(2)];
}
