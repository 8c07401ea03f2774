/** Users and their rights as SQL that makes them again. */
import { AppError } from '@backupx/contracts/errors';
import type { MysqlConnection } from './connection.ts';
import { isAtLeast } from './flavour.ts';
import type { Privileges } from './privileges.ts';
import { quoteName } from './sql-text.ts';

const SYSTEM_USERS = new Set(['mariadb.sys', 'mysql.sys', 'mysql.session', 'mysql.infoschema']);

/** Throws what a query throws; `null` when the user may not read them. */
export async function readGrants(connection: MysqlConnection, privileges: Privileges): Promise<string | null> {
  if (!privileges.hasOnTable('SELECT', 'mysql.user')) return null;
  const isMariadb = connection.server.flavour === 'mariadb';
  const isRole = isMariadb ? `is_role = 'Y'` : '0';
  const rows = await connection.query(
    `SELECT User, Host, IF(${isRole}, '1', '0') FROM mysql.user ORDER BY BINARY User, BINARY Host`,
  );
  const lines = ['-- Users and their rights. Users that exist are not changed; rights are added, none is taken away.'];
  const accounts = rows.filter(([user = '']) => !SYSTEM_USERS.has(user) && user !== 'PUBLIC');
  // First all that can be named in a grant, then the grants.
  for (const [user = '', host = '', role] of accounts) {
    if (role === '1') lines.push(`CREATE ROLE IF NOT EXISTS ${quoteAccountPart(user)};`);
    else lines.push(...(await orComment(account(user, host), createUser(connection, user, host))));
  }
  for (const [user = '', host = '', role] of accounts) {
    const grants = grantsOf(connection, user, role === '1' ? null : host);
    lines.push(...(await orComment(account(user, host), grants)));
  }
  return `${lines.join('\n')}\n`;
}

/** A server that looks up no names does not know the accounts it has for names of hosts. */
async function orComment(name: string, lines: Promise<string[]>): Promise<string[]> {
  try {
    return await lines;
  } catch (error) {
    if (!(error instanceof AppError) || !/\b(1133|1141)\b/.test(error.message)) throw error;
    return [`-- ${name.replace(/[\r\n]/g, ' ')} is not in use on this server.`];
  }
}

async function createUser(connection: MysqlConnection, user: string, host: string): Promise<string[]> {
  const { flavour, version } = connection.server;
  // Hashes of MySQL hold bytes that are no text.
  const asHex =
    flavour === 'mysql' && isAtLeast(version, '8.0.17') ? 'SET SESSION print_identified_with_as_hex = ON; ' : '';
  const rows = await connection.query(`${asHex}SHOW CREATE USER ${account(user, host)}`);
  return rows.map(([sql = '']) => `${sql.replace(/^CREATE USER /, 'CREATE USER IF NOT EXISTS ')};`);
}

async function grantsOf(connection: MysqlConnection, user: string, host: string | null): Promise<string[]> {
  const name = host === null ? quoteAccountPart(user) : account(user, host);
  const rows = await connection.query(`SHOW GRANTS FOR ${name}`);
  return rows.map(([sql = '']) => `${withoutPassword(sql)};`);
}

/** The password is in CREATE USER already; in a GRANT it would replace that of a user who exists. */
const withoutPassword = (grant: string): string =>
  grant.replace(/ IDENTIFIED (?:BY PASSWORD '[^']*'|VIA .*?(?= REQUIRE | WITH |$))/, '');

const account = (user: string, host: string): string => `${quoteAccountPart(user)}@${quoteAccountPart(host)}`;
const quoteAccountPart = quoteName;
