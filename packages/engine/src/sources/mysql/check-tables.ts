import type { MysqlConnection } from './connection.ts';
import { quoteName, quoteText } from './sql-text.ts';

const CHECK_TIMEOUT_MS = 6 * 60 * 60 * 1000;
const CHECKED_AT_ONCE = 200;

/** What mariadb-check does: the server looks through every table and view of a database. */
export async function checkTables(
  connection: MysqlConnection,
  database: string,
): Promise<{ readonly count: number; readonly bad: readonly string[] }> {
  const found = await connection.query(
    `SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = ${quoteText(database)} AND TABLE_TYPE <> 'SEQUENCE'`,
  );
  const tables = found.map(([name = '']) => `${quoteName(database)}.${quoteName(name)}`);
  const bad: string[] = [];
  for (let at = 0; at < tables.length; at += CHECKED_AT_ONCE) {
    const list = tables.slice(at, at + CHECKED_AT_ONCE).join(', ');
    const rows = await connection.query(`CHECK TABLE ${list}`, { timeoutMs: CHECK_TIMEOUT_MS });
    for (const [table, , type, text] of rows) if (type?.toLowerCase() === 'error') bad.push(`${table}: ${text}`);
  }
  return { count: tables.length, bad };
}
