import type { MysqlConnection } from './connection.ts';
import { readPrivileges } from './privileges.ts';
import { quoteText } from './sql-text.ts';

const WHERE_DEFINED = [
  ['VIEWS', 'TABLE_SCHEMA'],
  ['TRIGGERS', 'TRIGGER_SCHEMA'],
  ['ROUTINES', 'ROUTINE_SCHEMA'],
  ['EVENTS', 'EVENT_SCHEMA'],
] as const;

/**
 * Definers of what a database holds that the server does not know: what they define fails as soon as it is used. None
 * when the user may not see who there is.
 */
export async function missingDefiners(connection: MysqlConnection, database: string): Promise<string[]> {
  if (!(await readPrivileges(connection)).hasOnTable('SELECT', 'mysql.user')) return [];
  const name = quoteText(database);
  const parts = WHERE_DEFINED.map(
    ([table, column]) => `SELECT DEFINER FROM information_schema.${table} WHERE ${column} = ${name}`,
  );
  const definers = await connection.query(parts.join(' UNION '));
  // A role of MariaDB has no host.
  const known = await connection.query(`SELECT CONCAT(User, IF(Host = '', '', CONCAT('@', Host))) FROM mysql.user`);
  const accounts = new Set(known.map(([account = '']) => account));
  return definers.map(([definer = '']) => definer).filter((definer) => definer !== '' && !accounts.has(definer));
}
