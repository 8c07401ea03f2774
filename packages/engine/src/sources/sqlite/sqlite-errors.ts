import { AppError } from '@backupx/contracts/errors';

/** Primary result codes of SQLite that mean something to people. */
export const SQLITE = {
  ERROR: 1,
  BUSY: 5,
  LOCKED: 6,
  IOERR: 10,
  CORRUPT: 11,
  CANTOPEN: 14,
  NOTADB: 26,
} as const;

/** A writer that ended in the middle left a journal, which only a connection that may write can undo. */
const READONLY_ROLLBACK = 776;

const REASONS: Readonly<Record<number, string>> = {
  [SQLITE.BUSY]: 'another program holds it locked',
  [SQLITE.LOCKED]: 'another program holds it locked',
  [SQLITE.CORRUPT]: 'it is damaged',
  [SQLITE.CANTOPEN]: 'it cannot be opened (a database in WAL mode needs the right to write to its folder)',
  [SQLITE.NOTADB]: 'it is encrypted, or no SQLite database',
};

interface SqliteError extends Error {
  readonly errcode: number;
}

function isSqliteError(error: unknown): error is SqliteError {
  return error instanceof Error && typeof (error as Partial<SqliteError>).errcode === 'number';
}

/** The primary result code; null for an error of something else. */
export function sqliteCode(error: unknown): number | null {
  return isSqliteError(error) ? error.errcode & 0xff : null;
}

/** What went wrong with a database, in words. */
export function sqliteReason(error: unknown): string {
  if (error instanceof AppError) return error.message;
  if (!isSqliteError(error)) return error instanceof Error ? error.message : String(error);
  if (error.errcode === READONLY_ROLLBACK) {
    return 'a program ended in the middle of a transaction; open it once with that program, or with sqlite3, to undo it';
  }
  const reason = REASONS[error.errcode & 0xff];
  return reason ? `${reason} (${error.message})` : error.message;
}
