/** Keeps two masters from working on the same data folder. */
import { mkdirSync } from 'node:fs';
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
 * whatever way, so nothing stale is left after SIGKILL or a power cut, and no pid needs to be guessed at.
 */
export function lockDataDir(dataDir: string): DataDirLock {
  let database: DatabaseSync | undefined;
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    database = new DatabaseSync(join(dataDir, 'master.lock'), { timeout: 0 });
    database.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    database?.close();
    if (isBusy(error)) throw new AppError('ALREADY_RUNNING', { path: dataDir }, { cause: error });
    const reason = error instanceof Error ? error.message : String(error);
    throw new AppError('CONFIG_INVALID', { problems: `data_dir ${dataDir}: ${reason}` }, { cause: error });
  }
  const held = database;
  return {
    release() {
      if (held.isOpen) held.close();
    },
  };
}

function isBusy(error: unknown): boolean {
  // SQLITE_BUSY
  return error instanceof Error && 'errcode' in error && (Number(error.errcode) & 0xff) === 5;
}
