import type { MysqlConnection } from './connection.ts';
import { quoteName, quoteText, UNENCODED } from './sql-text.ts';

const CHECK_TIMEOUT_MS = 6 * 60 * 60 * 1000;
const CHECKED_AT_ONCE = 200;

interface CheckedTables {
  readonly count: number;
  readonly bad: readonly string[];
  /** Views that cannot be opened; one that is whole cannot either when what it is of is gone. */
  readonly badViews: readonly string[];
}

/** What mariadb-check does: the server looks through every table and view of a database. */
export async function checkTables(connection: MysqlConnection, database: string): Promise<CheckedTables> {
  // Not those whose files no server would name so: InnoDB knows none of them.
  const found = await connection.query(
    `SELECT TABLE_NAME, TABLE_TYPE FROM information_schema.TABLES WHERE TABLE_SCHEMA = ${quoteText(database)} AND TABLE_TYPE <> 'SEQUENCE'`,
  );
  const named = found.filter(([name = '']) => !name.startsWith(UNENCODED));
  const tables = named.map(([name = '']) => `${quoteName(database)}.${quoteName(name)}`);
  // As the server calls them in its answer.
  const views = new Set(named.flatMap(([name, type]) => (type === 'VIEW' ? [`${database}.${name}`] : [])));
  const bad: string[] = [];
  const badViews = new Map<string, string>();
  for (let at = 0; at < tables.length; at += CHECKED_AT_ONCE) {
    const list = tables.slice(at, at + CHECKED_AT_ONCE).join(', ');
    const rows = await connection.query(`CHECK TABLE ${list}`, { timeoutMs: CHECK_TIMEOUT_MS });
    for (const [table = '', , type, text] of rows) {
      if (type?.toLowerCase() !== 'error') continue;
      if (!views.has(table)) bad.push(`${table}: ${text}`);
      else if (!badViews.has(table)) badViews.set(table, `${table}: ${text}`);
    }
  }
  return { count: tables.length, bad, badViews: [...badViews.values()] };
}
