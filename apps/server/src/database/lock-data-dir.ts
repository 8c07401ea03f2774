/** Keeps two masters from working on the same data folder. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { AppError } from '@backupx/contracts/errors';

export interface DataDirLock {
  /** Idempotent. */
  release(): void;
}

/**
 * Creates the folder (mode 0700) when missing and takes the lock, or throws ALREADY_RUNNING.
 *
 * The lock is an exclusive transaction on an otherwise empty SQLite file: the kernel drops it when the process ends in
 * whatever way, so nothing stale is left after SIGKILL or a power cut. But POSIX drops it also when the same process
 * closes any other handle of that file, and a backup of a folder that holds the data folder does so. Therefore the
 * process is noted beside it too, by id and start time, where the system tells start times (Linux).
 */
export function lockDataDir(dataDir: string): DataDirLock {
  const noteFile = join(dataDir, 'master.pid');
  const database = takeLock(dataDir);
  try {
    if (isAlive(readNote(noteFile))) throw new AppError('ALREADY_RUNNING', { path: dataDir });
    writeFileSync(noteFile, describeProcess(process.pid) ?? String(process.pid), { mode: 0o600 });
  } catch (error) {
    database.close();
    throw asUnusable(dataDir, error);
  }
  return {
    release() {
      if (!database.isOpen) return;
      rmSync(noteFile, { force: true });
      database.close();
    },
  };
}

function takeLock(dataDir: string): DatabaseSync {
  let database: DatabaseSync | undefined;
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    database = new DatabaseSync(join(dataDir, 'master.lock'), { timeout: 0 });
    database.exec('BEGIN EXCLUSIVE');
    return database;
  } catch (error) {
    database?.close();
    throw asUnusable(dataDir, error);
  }
}

/** Pid and start time in clock ticks since boot (field 22 of `/proc/<pid>/stat`, see proc(5)); null: not known. */
function describeProcess(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the program's name in parentheses and may hold anything.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[19] ? `${pid} ${fields[19]}` : null;
  } catch {
    return null;
  }
}

function readNote(noteFile: string): string {
  try {
    return readFileSync(noteFile, 'utf8').trim();
  } catch {
    return '';
  }
}

/** A pid alone proves nothing: it may belong to somebody else by now. */
function isAlive(note: string): boolean {
  const match = /^(\d+) \d+$/.exec(note);
  return match !== null && Number(match[1]) !== process.pid && describeProcess(Number(match[1])) === note;
}

function asUnusable(dataDir: string, error: unknown): AppError {
  if (error instanceof AppError) return error;
  if (isBusy(error)) return new AppError('ALREADY_RUNNING', { path: dataDir }, { cause: error });
  const reason = error instanceof Error ? error.message : String(error);
  return new AppError('CONFIG_INVALID', { problems: `data_dir ${dataDir}: ${reason}` }, { cause: error });
}

function isBusy(error: unknown): boolean {
  // SQLITE_BUSY
  return error instanceof Error && 'errcode' in error && (Number(error.errcode) & 0xff) === 5;
}
