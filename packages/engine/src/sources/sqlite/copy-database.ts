/**
 * Makes a consistent copy of a database that others write to, by the backup API in one step: in several steps it begins
 * anew at each write of others and never ends, and VACUUM INTO would lay out all pages anew, so that little of the next
 * copy would be known to a repository. The copy is made inside a read transaction that was waited for before: the
 * runtime's own waiting has no limit. What the schema lists in that transaction must be in the copy.
 */
import { statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { backup, type DatabaseSync } from 'node:sqlite';
import { AppError } from '@backupx/contracts/errors';
import { systemClock } from '../../ports/clock.ts';
import type { InventoryObject } from '../../ports/database-inventory.ts';
import { listObjects } from './list-objects.ts';
import { openLive } from './open-database.ts';
import { SQLITE, sqliteCode } from './sqlite-errors.ts';

/** More than any database has. */
const ALL_PAGES = 2 ** 31 - 1;
const PAUSE_MS = 20;
/** What must stay free of the temporary folder's disk. */
const RESERVE_BYTES = 16 * 1024 * 1024;

export interface CopyOptions {
  readonly path: string;
  readonly copyPath: string;
  readonly lockWaitSeconds: number;
  readonly signal: AbortSignal;
}

/** Answers what the original held. Throws what SQLite says, TEMP-space errors as SOURCE_FAILED, TIMEOUT, CANCELLED. */
export async function copyDatabase(options: CopyOptions): Promise<{ objects: InventoryObject[] }> {
  const live = openLive(options.path);
  try {
    await beginReading(live, options);
    assertSpace(live, options.copyPath);
    const objects = listObjects(live);
    await backup(live, options.copyPath, { rate: ALL_PAGES });
    return { objects };
  } finally {
    live.close();
  }
}

async function beginReading(live: DatabaseSync, { path, lockWaitSeconds, signal }: CopyOptions): Promise<void> {
  const until = systemClock.monotonicMs() + lockWaitSeconds * 1000;
  for (;;) {
    if (signal.aborted) throw new AppError('CANCELLED');
    try {
      live.exec('BEGIN');
      live.prepare('SELECT count(*) FROM sqlite_schema').get();
      return;
    } catch (error) {
      if (live.isTransaction) live.exec('ROLLBACK');
      const code = sqliteCode(error);
      if (code !== SQLITE.BUSY && code !== SQLITE.LOCKED) throw error;
      if (systemClock.monotonicMs() < until) {
        await systemClock.sleep(PAUSE_MS, signal).catch(() => undefined);
        continue;
      }
      const locked = 'another program held it locked all the time';
      throw new AppError(
        'TIMEOUT',
        { what: `Reading ${path} (${locked})`, seconds: lockWaitSeconds },
        { cause: error },
      );
    }
  }
}

function assertSpace(live: DatabaseSync, copyPath: string): void {
  const pages = Number(live.prepare('PRAGMA page_count').get()?.page_count);
  const needed = pages * Number(live.prepare('PRAGMA page_size').get()?.page_size);
  const folder = dirname(copyPath);
  const { bavail, bsize, blocks } = statfsSync(folder);
  const free = bavail * bsize;
  if (blocks === 0 || free >= needed + Math.min(RESERVE_BYTES, needed)) return;
  const reason = `its copy needs ${megabytes(needed)} in the temporary folder ${folder}, where ${megabytes(free)} are free`;
  throw new AppError('SOURCE_FAILED', { reason });
}

const megabytes = (bytes: number): string => `${Math.ceil(bytes / 1e6)} MB`;
