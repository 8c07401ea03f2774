/**
 * What a user may not see is not counted either: without the right to see triggers a database has none. So the rights
 * are looked at too.
 */
import { AppError } from '@backupx/contracts/errors';
import type { MysqlConnection } from './connection.ts';
import { isAtLeast, type Product } from './flavour.ts';

/** Rights of a user: on everything, and by pattern of database. */
export class Privileges {
  readonly #everywhere = new Set<string>();
  readonly #onDatabases: { readonly pattern: RegExp; readonly rights: ReadonlySet<string> }[] = [];
  readonly #onTables = new Set<string>();

  /** `grants`: the lines of SHOW GRANTS. */
  constructor(grants: readonly string[]) {
    for (const line of grants) this.#add(line);
  }

  has(right: string, database?: string): boolean {
    if (this.#everywhere.has('ALL PRIVILEGES') || this.#everywhere.has(right)) return true;
    if (database === undefined) return false;
    return this.#onDatabases.some(
      ({ pattern, rights }) => pattern.test(database) && (rights.has('ALL PRIVILEGES') || rights.has(right)),
    );
  }

  /** A right on a single table: `mysql.proc`. */
  hasOnTable(right: string, table: string): boolean {
    const [database = ''] = table.split('.');
    return this.has(right, database) || this.#onTables.has(`${right} ${table}`);
  }

  #add(line: string): void {
    const match = /^GRANT (.+?) ON (?:TABLE )?(\*|`(?:[^`]|``)+`)\.(\*|`(?:[^`]|``)+`) TO /.exec(line);
    if (!match) return;
    const [, rightList = '', database = '', table = ''] = match;
    const rights = rightList.split(/,\s*(?![^(]*\))/).map((right) => right.trim().toUpperCase());
    if (database === '*') for (const right of rights) this.#everywhere.add(right);
    else if (table === '*')
      this.#onDatabases.push({ pattern: likePattern(unquote(database)), rights: new Set(rights) });
    else for (const right of rights) this.#onTables.add(`${right} ${unquote(database)}.${unquote(table)}`);
  }
}

const unquote = (name: string): string => name.slice(1, -1).replaceAll('``', '`');

/** Names of databases in grants are patterns, with `_` and `%`. */
function likePattern(like: string): RegExp {
  const source = like.replace(/\\([_%])|[.*+?^${}()|[\]\\%_]/g, (found, escaped?: string) => {
    if (escaped !== undefined) return escaped;
    if (found === '%') return '.*';
    return found === '_' ? '.' : `\\${found}`;
  });
  return new RegExp(`^${source}$`, 's');
}

/** Reads those of the user of the connection. */
export async function readPrivileges(connection: MysqlConnection): Promise<Privileges> {
  const rows = await connection.query('SHOW GRANTS');
  return new Privileges(rows.map(([line = '']) => line));
}

/** Rights that a whole dump of this database needs and that are missing, each with what is lost without it. */
export function missingRights(privileges: Privileges, server: Product, database: string): string[] {
  const lost: string[] = [];
  const need = (right: string, what: string) => {
    if (!privileges.has(right, database)) lost.push(`without the right ${right} ${what}`);
  };
  need('SELECT', 'tables are not seen');
  need('SHOW VIEW', 'views cannot be dumped');
  need('TRIGGER', 'triggers are not seen');
  need('EVENT', 'events are not seen');
  if (!canReadRoutines(privileges, server, database)) {
    lost.push(`without the right ${routineRight(server)} procedures and functions are not seen`);
  }
  return lost;
}

function canReadRoutines(privileges: Privileges, server: Product, database: string): boolean {
  if (server.flavour === 'mariadb') {
    return privileges.hasOnTable('SELECT', 'mysql.proc') || privileges.has('SHOW CREATE ROUTINE', database);
  }
  if (!isAtLeast(server.version, '8.0')) return privileges.hasOnTable('SELECT', 'mysql.proc');
  return privileges.has('SHOW_ROUTINE') || privileges.has('SELECT');
}

function routineRight({ flavour, version }: Product): string {
  if (flavour === 'mysql') return isAtLeast(version, '8.0.20') ? 'SHOW_ROUTINE' : 'SELECT on *.*';
  return isAtLeast(version, '11.3') ? 'SHOW CREATE ROUTINE' : 'SELECT on mysql.proc';
}

/** Statements that make a user for backups, who may change nothing. */
export function readOnlyUserSql(server: Product): string {
  const account = `'backupx'@'%'`;
  const routines = routineRight(server);
  const lines = [`CREATE USER ${account} IDENTIFIED BY '…a long password…';`];
  const rights = ['SELECT', 'SHOW VIEW', 'TRIGGER', 'EVENT', 'LOCK TABLES', 'RELOAD', 'PROCESS'];
  rights.push(
    server.flavour === 'mariadb' && isAtLeast(server.version, '10.5') ? 'BINLOG MONITOR' : 'REPLICATION CLIENT',
  );
  if (routines.startsWith('SHOW')) rights.push(routines);
  if (server.flavour === 'mysql' || !routines.startsWith('SELECT on mysql')) {
    lines.push(`GRANT ${rights.filter((right) => right !== 'SHOW_ROUTINE').join(', ')} ON *.* TO ${account};`);
  } else lines.push(`GRANT ${rights.join(', ')} ON *.* TO ${account};`);
  if (routines === 'SHOW_ROUTINE') lines.push(`GRANT SHOW_ROUTINE ON *.* TO ${account};`);
  return `${lines.join('\n')}\n`;
}

/** True when the position in the binary log can be noted with a dump. Throws nothing but what a query throws. */
export async function canNotePosition(connection: MysqlConnection, privileges: Privileges): Promise<boolean> {
  const [[isOn = '0'] = []] = await connection.query('SELECT @@GLOBAL.log_bin');
  if (isOn !== '1') return false;
  const { flavour } = connection.server;
  const canAsk = ['SUPER', 'REPLICATION CLIENT', 'BINLOG MONITOR'].some((right) => privileges.has(right));
  return canAsk && (flavour === 'mariadb' || privileges.has('RELOAD'));
}

const REPLACING = 'CREATE,DROP,ALTER,INSERT,CREATE VIEW,SHOW VIEW,TRIGGER,CREATE ROUTINE,ALTER ROUTINE,EVENT'.split(
  ',',
);

/** Throws DATABASE_PERMISSION beforehand: in the middle of a swap there would be no way forward and none back. */
export async function assertMayReplace(connection: MysqlConnection, database: string): Promise<void> {
  const privileges = await readPrivileges(connection);
  const lacking = [
    ...REPLACING.filter((right) => !privileges.has(right, database)).map((right) => `without the right ${right}`),
    ...missingRights(privileges, connection.server, database),
  ];
  if (lacking.length === 0) return;
  const { address: server, config } = connection;
  const action = `replace ${database}: ${lacking.join('; ')}`;
  throw new AppError('DATABASE_PERMISSION', { user: config.dbUser, server, action });
}

/** The error of a user who may read nothing of what is asked for. */
export function nothingReadable(connection: MysqlConnection): AppError {
  const { address: server, config } = connection;
  return new AppError('DATABASE_PERMISSION', { user: config.dbUser, server, action: 'see a database' });
}
