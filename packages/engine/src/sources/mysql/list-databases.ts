import { byBytes } from '../../ports/database-names.ts';
import type { MysqlConnection } from './connection.ts';

const SYSTEM = new Set(['information_schema', 'performance_schema', 'mysql', 'sys']);
/** What a restore makes beside the databases it is about. */
export const OWN_NAME = /^backupx_(restore|old)_([0-9a-f]{12})(_\d+)?$/;

/** All databases of the server but its own and those of restores. */
export async function listDatabases(connection: MysqlConnection): Promise<string[]> {
  const rows = await connection.query('SELECT SCHEMA_NAME FROM information_schema.SCHEMATA');
  const names = rows.map(([name = '']) => name);
  // `#mysql50#…` are folders among the data that are no databases.
  return names
    .filter((name) => !SYSTEM.has(name) && !OWN_NAME.test(name) && !name.startsWith('#mysql50#'))
    .sort(byBytes);
}
