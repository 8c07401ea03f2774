/** What the server says a database holds. */
import type { InventoryObject } from '../../ports/database-inventory.ts';
import type { MysqlConnection } from './connection.ts';
import { quoteName, quoteText } from './sql-text.ts';

export interface ServerInventory {
  readonly objects: InventoryObject[];
  /** Tables whose engine knows no transactions: a dump sees them change. */
  readonly unsafeTables: string[];
  /** Tables that keep their old rows. */
  readonly versionedTables: string[];
  readonly charset: string;
  readonly collation: string;
}

const TABLE_KINDS: Readonly<Record<string, string>> = {
  'BASE TABLE': 'table',
  'SYSTEM VERSIONED': 'table',
  VIEW: 'view',
  SEQUENCE: 'sequence',
};
/** What gives a table the powers a consistent dump needs. */
const SAFE_ENGINES = new Set(['InnoDB', 'RocksDB', 'TokuDB', 'ROCKSDB', 'SEQUENCE', 'VIEW', 'MEMORY', '']);

/** Counts what the user of the connection can see; see `privileges.ts` for what that may leave out. */
export async function readInventory(connection: MysqlConnection, database: string): Promise<ServerInventory> {
  const name = quoteText(database);
  const rows = await connection.query(
    `SELECT 'table', TABLE_NAME, TABLE_TYPE, COALESCE(ENGINE, '') FROM information_schema.TABLES WHERE TABLE_SCHEMA = ${name};
     SELECT 'trigger', TRIGGER_NAME, '', '' FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = ${name};
     SELECT 'routine', ROUTINE_NAME, ROUTINE_TYPE, '' FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = ${name};
     SELECT 'event', EVENT_NAME, '', '' FROM information_schema.EVENTS WHERE EVENT_SCHEMA = ${name};
     SELECT 'database', '', DEFAULT_CHARACTER_SET_NAME, DEFAULT_COLLATION_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = ${name}`,
  );
  const objects: InventoryObject[] = [];
  const unsafeTables: string[] = [];
  const versionedTables: string[] = [];
  let [charset, collation] = ['', ''];
  for (const [from = '', object = '', type = '', more = ''] of rows) {
    if (from === 'database') [charset, collation] = [type, more];
    else objects.push({ kind: kindOf(from, type), name: object });
    if (from === 'table' && !SAFE_ENGINES.has(more)) unsafeTables.push(object);
    if (type === 'SYSTEM VERSIONED') versionedTables.push(object);
  }
  return { objects, unsafeTables, versionedTables, charset, collation };
}

/** In the words of an inventory. */
export const kindOfTable = (type: string): string => TABLE_KINDS[type] ?? type.toLowerCase();

function kindOf(from: string, type: string): string {
  if (from === 'table') return kindOfTable(type);
  return from === 'routine' ? type.toLowerCase() : from;
}

/** Rows of each table, old rows of versioned tables among them. */
export async function countRows(
  connection: MysqlConnection,
  database: string,
  { objects, versionedTables }: Pick<ServerInventory, 'objects' | 'versionedTables'>,
): Promise<InventoryObject[]> {
  const tables = objects.filter(({ kind }) => kind === 'table');
  const counts: number[] = [];
  for (let at = 0; at < tables.length; at += COUNTED_AT_ONCE) {
    const statements = tables.slice(at, at + COUNTED_AT_ONCE).map(({ name }) => {
      const history = versionedTables.includes(name) ? ' FOR SYSTEM_TIME ALL' : '';
      return `SELECT COUNT(*) FROM ${quoteName(database)}.${quoteName(name)}${history}`;
    });
    const rows = await connection.query(statements.join(';\n'), { timeoutMs: COUNT_TIMEOUT_MS });
    counts.push(...rows.map(([count]) => Number(count)));
  }
  const counted = new Map(tables.map(({ name }, index) => [name, counts[index] ?? 0]));
  return objects.map((object) =>
    object.kind === 'table' ? { ...object, rows: counted.get(object.name) ?? 0 } : object,
  );
}

const COUNTED_AT_ONCE = 500;
const COUNT_TIMEOUT_MS = 6 * 60 * 60 * 1000;
