import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { clearLeftovers, Replacement, scratchPathOf } from './replacement.ts';

let folder: string;
let target: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'replacement-'));
  target = join(folder, 'live.db');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const rowsOf = (path: string): number => {
  const database = new DatabaseSync(path);
  const rows = Number(database.prepare('SELECT count(*) AS rows FROM t').get()?.rows);
  database.close();
  return rows;
};

function makeDatabase(path: string, rows: number): void {
  const database = new DatabaseSync(path);
  database.exec('PRAGMA journal_mode=WAL; CREATE TABLE t(a)');
  for (let row = 0; row < rows; row += 1) database.exec('INSERT INTO t VALUES (1)');
  database.close();
}

/** Paths of what a program has open; it may open and close others while it starts. */
function openFilesOf(pid = 0): string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((name) => {
    try {
      return [readlinkSync(`/proc/${pid}/fd/${name}`)];
    } catch {
      return [];
    }
  });
}

const runModule = (script: string) =>
  spawnSync(process.execPath, ['--input-type=module', '--eval', script], { encoding: 'utf8' });

/** A database of two rows, one of them only in the log of a program that was killed. */
function makeLiveWithLog(): void {
  makeDatabase(target, 1);
  runModule(`
    import { DatabaseSync } from 'node:sqlite';
    const database = new DatabaseSync(${JSON.stringify(target)});
    database.exec('INSERT INTO t VALUES (2)');
    process.kill(process.pid, 'SIGKILL');`);
  expect(statSync(`${target}-wal`).size).toBeGreaterThan(0);
}

/** Replaces the database in a process that is killed where `end` says. */
function replaceAndDie(end: 'before the rename' | 'after the rename'): void {
  const module = join(import.meta.dirname, 'replacement.ts');
  const scratch = join(folder, '.scratch');
  if (end === 'after the rename') makeDatabase(scratch, 7);
  runModule(`
    import { Replacement } from ${JSON.stringify(module)};
    const replacement = new Replacement({ scratch: ${JSON.stringify(scratch)}, target: ${JSON.stringify(target)} });
    try { replacement.apply(); } catch {}
    process.kill(process.pid, 'SIGKILL');`);
}

describe('a database that is replaced', () => {
  it('is whole without its log when a crash comes before the new one is in place', () => {
    makeLiveWithLog();
    replaceAndDie('before the rename');
    expect(existsSync(`${target}-wal`)).toBe(false);
    expect(readdirSync(folder).length).toBeGreaterThan(1);
    expect(rowsOf(target)).toBe(2);
    clearLeftovers(target);
    expect(readdirSync(folder)).toEqual(['live.db']);
    expect(rowsOf(target)).toBe(2);
  });

  it('is the new one, and nothing else, when a crash comes after that', () => {
    makeLiveWithLog();
    replaceAndDie('after the rename');
    expect(rowsOf(target)).toBe(7);
    clearLeftovers(target);
    expect(readdirSync(folder)).toEqual(['live.db']);
  });

  it('comes back when a later one cannot be replaced', () => {
    makeLiveWithLog();
    const scratch = scratchPathOf(target);
    makeDatabase(scratch, 7);
    const replacement = new Replacement({ scratch, target });
    replacement.apply();
    replacement.undo();
    expect(rowsOf(target)).toBe(2);
    expect(readdirSync(folder).filter((name) => name.includes('backupx'))).toEqual([]);
    // Also one that was not there before, or could not be opened.
    rmSync(target);
    makeDatabase(scratch, 7);
    const first = new Replacement({ scratch, target });
    first.apply();
    first.undo();
    expect(existsSync(target)).toBe(false);
  });

  it('stays when a program begins to use it, also without any lock', async () => {
    makeDatabase(target, 2);
    const scratch = scratchPathOf(target);
    makeDatabase(scratch, 7);
    const holder = spawn('tail', ['-f', target], { stdio: 'ignore' });
    while (!openFilesOf(holder.pid).includes(realpathSync(target)))
      await new Promise((resolve) => setTimeout(resolve, 10));
    const replacement = new Replacement({ scratch, target });
    expect(() => replacement.apply()).toThrow(/tail \(process/);
    replacement.undo();
    holder.kill();
    expect(rowsOf(target)).toBe(2);
    expect(existsSync(scratch)).toBe(false);
  });

  it('is locked for us alone: nobody opens it between the lock and the rename', () => {
    makeDatabase(target, 2);
    const copy = join(folder, 'copy.db');
    copyFileSync(target, copy);
    const replacement = new Replacement({ scratch: join(folder, 'none'), target });
    expect(() => replacement.apply()).toThrow('ENOENT');
    const other = runModule(`
      import { DatabaseSync } from 'node:sqlite';
      new DatabaseSync(${JSON.stringify(target)}, { timeout: 50 }).prepare('SELECT count(*) FROM t').get();`);
    expect(other.stderr).toContain('database is locked');
    replacement.undo();
    expect(rowsOf(target)).toBe(2);
  });
});

/** Says under which name it would write. */
const NAMING = `
  const { parentPort, workerData } = require('node:worker_threads');
  import(${JSON.stringify(new URL('./replacement.ts', import.meta.url).href)}).then(({ scratchPathOf }) => {
    parentPort.postMessage(scratchPathOf(workerData));
    setInterval(() => {}, 1000);
  });`;

it('clears what a thread of a living process left, once it has ended', async () => {
  const worker = new Worker(NAMING, { eval: true, workerData: target });
  const [scratch] = await once(worker, 'message');
  writeFileSync(scratch, 'half');
  clearLeftovers(target);
  expect(existsSync(scratch)).toBe(true);
  await worker.terminate();
  clearLeftovers(target);
  expect(existsSync(scratch)).toBe(false);
});
