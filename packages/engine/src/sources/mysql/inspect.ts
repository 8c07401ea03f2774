import { describeLeftOut } from '../../ports/database-inventory.ts';
import { chooseDatabases } from '../../ports/database-names.ts';
import type { InspectContext, SourceInspection } from '../../ports/source.ts';
import { MysqlConnection } from './connection.ts';
import { describeProduct } from './flavour.ts';
import { findLeftOut } from './left-out.ts';
import { describeUnencoded, listDatabases } from './list-databases.ts';
import { canNotePosition, missingRights, type Privileges, readOnlyUserSql, readPrivileges } from './privileges.ts';
import type { MysqlConfig } from './settings.ts';
import { tryDump } from './try-dump.ts';

const LISTED = 20;
const NO_POSITION =
  'The position in the binary log is not noted: the log is off, or the user may not ask for it. A restore to a point in time is not possible.';

/** Logs in as a backup would, and tells what it would find and miss. Throws DATABASE_*. */
export async function inspectServer(config: MysqlConfig, context: InspectContext): Promise<SourceInspection> {
  const connection = await MysqlConnection.open(config, context);
  try {
    const tool = await connection.findDumper();
    const all = await listDatabases(connection);
    const choice = chooseDatabases(all, config);
    const privileges = await readPrivileges(connection);
    const warnings = choice.missing.map((name) => `There is no database ${name}.`);
    if (choice.names.length === 0) warnings.push('There is no database to back up that this user can see.');
    warnings.push(...rightWarnings(connection, privileges, choice.names));
    const withPosition = config.withPosition && (await canNotePosition(connection, privileges));
    if (config.withPosition && !withPosition) warnings.push(NO_POSITION);
    warnings.push(...(await serverWarnings(connection, privileges, config)));
    warnings.push(...(await describeUnencoded(connection, config)));
    const { found: missing, unasked } = await findLeftOut(connection, choice.names);
    if (unasked > 0) warnings.push(`Whether all views of ${unasked} more databases can be opened was not asked.`);
    for (const [name, leftOut] of missing) warnings.push(`${name}: ${describeLeftOut(leftOut).join('; ')}`);
    const [database] = choice.names;
    const leftOut = missing.get(database ?? '') ?? [];
    const trial = { connection, tool, withPosition, leftOut };
    const refused = database === undefined ? null : await tryDump({ ...trial, database });
    if (refused !== null) warnings.push(refused);
    return {
      server: connection.serverName,
      tool: `${describeProduct(tool)} (${tool.path})`,
      databases: await databaseSizes(connection, all),
      warnings,
      readOnlyUserSql: readOnlyUserSql(connection.server),
    };
  } finally {
    connection.close();
  }
}

/** One line per thing that is lost, with the databases it is lost in. */
function rightWarnings(connection: MysqlConnection, privileges: Privileges, databases: readonly string[]): string[] {
  const lost = new Map<string, string[]>();
  for (const database of databases) {
    for (const what of missingRights(privileges, connection.server, database)) {
      lost.set(what, [...(lost.get(what) ?? []), database]);
    }
  }
  return [...lost].map(([what, names]) => {
    const more = names.length > LISTED ? ` and ${names.length - LISTED} more` : '';
    return `${names.slice(0, LISTED).join(', ')}${more}: ${what}.`;
  });
}

async function serverWarnings(
  connection: MysqlConnection,
  privileges: Privileges,
  config: MysqlConfig,
): Promise<string[]> {
  const warnings: string[] = [];
  if (config.withGrants && !privileges.hasOnTable('SELECT', 'mysql.user')) {
    warnings.push('Users and their rights are not stored: the user may not read mysql.user.');
  }
  const [[cipher = ''] = []] = await connection.query(
    `SELECT VARIABLE_VALUE FROM ${statusTable(connection)} WHERE VARIABLE_NAME = 'Ssl_cipher'`,
  );
  const isLocal = config.dbSocket !== '' || /^(127\.|::1$|localhost$)/.test(config.dbHost);
  if (cipher === '' && !isLocal) warnings.push('The connection is not encrypted: the server offers no TLS.');
  return warnings;
}

const statusTable = ({ server }: MysqlConnection): string =>
  server.flavour === 'mariadb' ? 'information_schema.SESSION_STATUS' : 'performance_schema.session_status';

/** Bytes of each, as the server estimates them. */
export async function databaseSizes(
  connection: MysqlConnection,
  names: readonly string[],
): Promise<SourceInspection['databases']> {
  const rows = await connection.query(
    'SELECT TABLE_SCHEMA, SUM(COALESCE(DATA_LENGTH, 0) + COALESCE(INDEX_LENGTH, 0)) FROM information_schema.TABLES GROUP BY TABLE_SCHEMA',
  );
  const bytes = new Map(rows.map(([name = '', size = '0']) => [name, Number(size)]));
  return names.map((name) => ({ name, sizeBytes: bytes.get(name) ?? 0 }));
}
