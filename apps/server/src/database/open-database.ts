/**
 * Opening the database: connection, pragmas, migrations. `tables.ts` has the row shapes, `migrations/` their history,
 * `sqlite.ts` everything that only SQLite understands. Stores are written once, in the query builder, for both
 * dialects; so a second dialect is one more branch in `chooseDialect`.
 */
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { AppError } from '@backupx/contracts/errors';
import { type Dialect, Kysely } from 'kysely';
import { migrateToLatest } from './migrate-to-latest.ts';
import { openSqlite } from './sqlite.ts';
import type { Tables } from './tables.ts';

export interface OpenDatabase {
  readonly db: Kysely<Tables>;
  /** Waits for the running query; idempotent. */
  close(): Promise<void>;
}

/** SQLite gives its side files the mode of the main one, so nobody else can read any of them. */
function createForOwner(path: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  closeSync(openSync(path, 'a', 0o600));
}

function chooseDialect(path: string): Dialect {
  try {
    if (path !== ':memory:') createForOwner(path);
    return openSqlite(path);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new AppError('CONFIG_INVALID', { problems: `database.path ${path}: ${reason}` }, { cause: error });
  }
}

/**
 * Opens the database at `path` (`:memory:` for tests) and brings its schema up to date. Throws CONFIG_INVALID when the
 * file cannot be used or was written by a newer version.
 */
export async function openDatabase({ path }: { readonly path: string }): Promise<OpenDatabase> {
  const db = new Kysely<Tables>({ dialect: chooseDialect(path) });
  try {
    await migrateToLatest(db);
  } catch (error) {
    await db.destroy();
    throw error;
  }
  let closing: Promise<void> | undefined;
  return {
    db,
    close() {
      closing ??= db.destroy();
      return closing;
    },
  };
}
