/**
 * SQLite behind the query builder: a small shim over `node:sqlite`, and the only place with SQLite's own SQL.
 *
 * One connection per process. The builder hands it to one transaction at a time, therefore inside `transaction()` use
 * the transaction alone: a query on the outer `db` would wait for the transaction to end, for ever.
 */
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { SqliteAdapter, type SqliteDatabase, SqliteDialect, type SqliteStatement } from 'kysely';

/** Prepared statements kept for reuse; IN lists of many lengths would fill memory otherwise. */
const STATEMENT_CACHE_SIZE = 300;

/** How long a statement waits for another process (the command line resetting a password) before it fails. */
const BUSY_TIMEOUT_MS = 10_000;

/** SQLite can undo CREATE TABLE; saying so makes each migration all or nothing, even after SIGKILL. */
class TransactionalSqliteAdapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true;
  }
}

class NodeSqliteDialect extends SqliteDialect {
  override createAdapter(): SqliteAdapter {
    return new TransactionalSqliteAdapter();
  }
}

function toStatement(statement: StatementSync): SqliteStatement {
  const values = (parameters: readonly unknown[]) => parameters as SQLInputValue[];
  return {
    reader: statement.columns().length > 0,
    all: (parameters) => statement.all(...values(parameters)),
    run: (parameters) => statement.run(...values(parameters)),
    iterate: (parameters) => statement.iterate(...values(parameters)),
  };
}

/** The write lock is taken at BEGIN, so a transaction never fails half way because another process wrote meanwhile. */
const rewrite = (sql: string) => (sql === 'begin' ? 'begin immediate' : sql);

function shim(database: DatabaseSync): SqliteDatabase {
  const cache = new Map<string, SqliteStatement>();
  return {
    prepare(sql) {
      const known = cache.get(sql);
      if (known) {
        // Moves it to the young end of the map.
        cache.delete(sql);
        cache.set(sql, known);
        return known;
      }
      const statement = toStatement(database.prepare(rewrite(sql)));
      // Statements that change the schema are run once.
      if (!/^(create|alter|drop|pragma)/i.test(sql)) cache.set(sql, statement);
      if (cache.size > STATEMENT_CACHE_SIZE) cache.delete(cache.keys().next().value ?? '');
      return statement;
    },
    close() {
      cache.clear();
      if (database.isOpen) database.close();
    },
  };
}

/**
 * Opens a database file (or `:memory:`). WAL lets readers and the writer work side by side; `synchronous = FULL`
 * because a record that was answered as finished must survive a power cut: each commit costs one fsync, which a
 * backup master with its few dozen commits a second can afford.
 */
export function openSqlite(path: string): SqliteDialect {
  const database = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS, enableForeignKeyConstraints: true });
  try {
    database.exec(`
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = FULL;
      PRAGMA foreign_keys = ON;
      PRAGMA temp_store = MEMORY;
      PRAGMA cache_size = -16000;
      PRAGMA journal_size_limit = 67108864;
    `);
  } catch (error) {
    database.close();
    throw error;
  }
  return new NodeSqliteDialect({ database: shim(database) });
}
