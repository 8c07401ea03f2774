import { byBytes, chooseDatabases } from '../../ports/database-names.ts';
import type { MysqlConnection } from './connection.ts';
import { quoteText, UNENCODED } from './sql-text.ts';

const SYSTEM = new Set(['information_schema', 'performance_schema', 'mysql', 'sys']);
/** What a restore makes beside the databases it is about. */
export const OWN_NAME = /^backupx_(restore|old)_([0-9a-f]{12})(_\d+)?$/;

/** All databases of the server but its own and those of restores. */
export async function listDatabases(connection: MysqlConnection): Promise<string[]> {
  const rows = await connection.query('SELECT SCHEMA_NAME FROM information_schema.SCHEMATA');
  const names = rows.map(([name = '']) => name);
  return names.filter((name) => !SYSTEM.has(name) && !OWN_NAME.test(name) && !name.startsWith(UNENCODED)).sort(byBytes);
}

/**
 * Folders among the data that are not named as a server names those of databases and yet hold tables, in words. None
 * where only chosen databases are saved.
 */
export async function describeUnencoded(
  connection: MysqlConnection,
  {
    databases,
    excludeDatabases,
  }: { readonly databases: readonly string[]; readonly excludeDatabases: readonly string[] },
): Promise<string[]> {
  if (databases.length > 0) return [];
  const rows = await connection.query(
    `SELECT TABLE_SCHEMA, COUNT(*) FROM information_schema.TABLES
     WHERE LEFT(TABLE_SCHEMA, ${UNENCODED.length}) = ${quoteText(UNENCODED)} GROUP BY TABLE_SCHEMA`,
  );
  const tables = new Map(rows.map(([name = '', count = '']) => [name.slice(UNENCODED.length), count]));
  const { names } = chooseDatabases([...tables.keys()], { databases: [], excludeDatabases });
  return names.map(
    (name) =>
      `the folder ${name} among the data is not named as the server names databases; its tables (${tables.get(name)}) are not saved. ALTER DATABASE \`${UNENCODED}${name}\` UPGRADE DATA DIRECTORY NAME makes it one`,
  );
}
