/**
 * Opening databases. A live one is only ever opened by SQLite itself: closing any other handle on it in this process
 * would drop the locks that a connection of this process may hold.
 */
import { DatabaseSync } from 'node:sqlite';

/** SQLite waits this long inside one call, which stops the thread; longer waits are made of several calls. */
const CALL_WAIT_MS = 250;

function uriOf(path: string, query: string): string {
  return `file:${path.split('/').map(encodeURIComponent).join('/')}?${query}`;
}

/** A live database, for reading; never makes one. Throws what SQLite says. */
export function openLive(path: string): DatabaseSync {
  return new DatabaseSync(uriOf(path, 'mode=ro'), { readOnly: true, timeout: CALL_WAIT_MS });
}

/** A live database that is to be locked; never makes one. */
export function openForLock(path: string): DatabaseSync {
  return new DatabaseSync(uriOf(path, 'mode=rw'), { timeout: CALL_WAIT_MS });
}

/** A copy that nobody else writes: no locks, and no files beside it, whatever its journal mode. */
export function openCopy(path: string): DatabaseSync {
  return new DatabaseSync(uriOf(path, 'immutable=1'), { readOnly: true });
}

/** Version of the library. */
export const sqliteVersion: string = process.versions.sqlite ?? 'unknown';
