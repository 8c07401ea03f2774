/**
 * One million small files through our repository: backup, unchanged backup, browse, search, restore, a check of every
 * byte, a clean-up that keeps a tenth; with peak memory, which must not grow with the number of files. `--scale 0.1`
 * takes 100,000.
 */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { BenchOptions } from './bench-options.ts';
import type { ProcessMeasurement } from './measure.ts';
import { ours, runOurs, storedBytes } from './repository-programs.ts';
import { verdictOf } from './repository-targets.ts';
import { describeMachine, formatTable, writeSection } from './results.ts';

const FILES_PER_FOLDER = 1000;
/** All in one folder, so that paging in a long list is measured too. */
const LONG_FOLDER_FILES = 100_000;
/** Of backups, and of all that must go on beside them. */
const MAX_PEAK_MB = 300;

function createMillionFiles(workFolder: string, scale: number): { folder: string; files: number; longFolder: string } {
  const files = Math.round(1_000_000 * scale);
  const long = Math.round(LONG_FOLDER_FILES * scale);
  const folder = path.join(workFolder, `files-${files}`);
  const longFolder = path.join(folder, 'long');
  if (existsSync(path.join(folder, '.complete'))) return { folder, files, longFolder };
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(longFolder, { recursive: true });
  for (let index = 0; index < files; index++) {
    const subFolder =
      index < long
        ? longFolder
        : path.join(
            folder,
            `d${Math.floor(index / FILES_PER_FOLDER / 100)}`,
            `e${Math.floor(index / FILES_PER_FOLDER) % 100}`,
          );
    if (index >= long && index % FILES_PER_FOLDER === 0) mkdirSync(subFolder, { recursive: true });
    const line = `file ${index} of a million, `;
    writeFileSync(path.join(subFolder, `file-${index}.txt`), line.repeat(1 + (index % 13)));
  }
  writeFileSync(path.join(folder, '.complete'), '');
  return { folder, files, longFolder };
}

/** Runs it once and prints a table; with `isWriting` it goes into docs/benchmarks.md too. */
export async function benchMillionFiles(options: BenchOptions): Promise<void> {
  const work = path.join(options.workFolder ?? tmpdir(), 'backupx-bench');
  mkdirSync(work, { recursive: true });
  const { folder, files, longFolder } = createMillionFiles(work, options.scale);
  const place = mkdtempSync(path.join(work, 'million-'));
  const memory = existsSync('/dev/shm') ? mkdtempSync('/dev/shm/backupx-bench-') : place;
  const repository = path.join(place, 'repository');
  const rows: string[][] = [];
  const verdicts: string[][] = [];
  const record = (what: string, measured: ProcessMeasurement): void => {
    const answer = /"milliseconds":(\d+)/.exec(measured.stdout)?.[1] ?? '';
    console.log(`${what}: ${measured.wallSeconds} s, ${measured.peakMegabytes} MB`);
    rows.push([
      what,
      measured.cpuSeconds.toFixed(2),
      measured.wallSeconds.toFixed(2),
      answer,
      String(measured.peakMegabytes),
    ]);
  };
  try {
    const judge = (what: string, measured: ProcessMeasurement): void => {
      record(what, measured);
      verdicts.push([what, `≤ ${MAX_PEAK_MB}`, ...verdictOf(measured.peakMegabytes, MAX_PEAK_MB, 0)]);
    };
    await ours.init(repository);
    const first = await ours.backup(repository, folder);
    judge('first backup', first.measurement);
    const second = await ours.backup(repository, folder);
    judge('unchanged backup', second.measurement);
    const browse = (at: string, ...more: string[]): Promise<ProcessMeasurement> =>
      runOurs(['browse', repository, at, second.snapshot, ...more]);
    record('browse: the top folder', await browse(folder));
    record('browse: near the end of the longest folder', await browse(longFolder, String(Math.round(0.09 * files))));
    record('search by name in all', await browse('', '0', `file-${files - 1}.txt`));
    mkdirSync(path.join(memory, 'out'));
    const stored = (storedBytes(repository) / 1e6).toFixed(1);
    judge('restore', await ours.restore(repository, path.join(memory, 'out'), second.snapshot));
    judge('check of every byte', await runOurs(['check', repository]));
    await ours.backup(repository, longFolder);
    await runOurs(['forget', repository, '', first.snapshot, second.snapshot]);
    judge('clean-up that keeps one file of ten', await runOurs(['prune', repository]));
    const head = ['run', 'CPU s', 'wall s', 'without start-up, ms', 'peak MB'];
    const text = `Machine: ${describeMachine()}. ${files} files, ${stored} MB stored; one run, whole processes.\n\n${formatTable(head, rows, 1)}\n\n${formatTable(['peak memory, MB', 'limit', 'measured', ''], verdicts, 1)}\n`;
    console.log(text);
    if (options.isWriting) writeSection('million-files', text);
  } finally {
    rmSync(place, { recursive: true, force: true });
    rmSync(memory, { recursive: true, force: true });
  }
}
