import type { InventoryObject } from '../../../ports/database-inventory.ts';
import type { MysqlConnection } from '../connection.ts';
import { listDatabases } from '../list-databases.ts';
import { quoteName, UNENCODED } from '../sql-text.ts';

const KINDS: Readonly<Record<string, string>> = {
  'BASE TABLE': 'table',
  'SYSTEM VERSIONED': 'table',
  VIEW: 'view',
  SEQUENCE: 'sequence',
};
const COUNT_TIMEOUT_MS = 10 * 60 * 1000;
/** Larger tables are not counted while others work. */
const MAX_COUNTED_BYTES = 64 * 1024 * 1024;
/** A server without rights knows no events; they lie in this table all the same. */
const EVENTS_SQL = `SELECT db, name, 'event' FROM mysql.event`;
const OBJECTS_SQL = `SELECT TABLE_SCHEMA, TABLE_NAME, TABLE_TYPE FROM information_schema.TABLES;
SELECT TRIGGER_SCHEMA, TRIGGER_NAME, 'trigger' FROM information_schema.TRIGGERS;
SELECT ROUTINE_SCHEMA, ROUTINE_NAME, LOWER(ROUTINE_TYPE) FROM information_schema.ROUTINES;
SELECT EVENT_SCHEMA, EVENT_NAME, 'event' FROM information_schema.EVENTS`;

/** Everything of all databases that the user can see, by names with their database. */
export async function listObjects(connection: MysqlConnection, { isScratch = false } = {}): Promise<InventoryObject[]> {
  const databases = await listDatabases(connection);
  const ours = new Set(databases);
  const hasTable = isScratch && connection.server.flavour === 'mariadb';
  const rows = await connection.query(hasTable ? `${OBJECTS_SQL};\n${EVENTS_SQL}` : OBJECTS_SQL);
  const objects = rows
    .filter(([database = '']) => ours.has(database))
    .map(([database = '', name = '', type = '']) => ({ kind: KINDS[type] ?? type, name: nameOf(database, name) }));
  return [...databases.map((name) => ({ kind: 'database', name })), ...objects];
}

/** `shop.orders`; a name with a point in it in backticks. */
export function nameOf(database: string, name: string): string {
  return [database, name].map((part) => (/[.`]/.test(part) ? quoteName(part) : part)).join('.');
}

/** Counts tables by the names of `nameOf`. `atPosition`: only when the binary log has not moved on from there. */
export async function countTables(
  connection: MysqlConnection,
  { atPosition }: { readonly atPosition: string | null },
): Promise<Map<string, number>> {
  const limit = atPosition === null ? '' : ` AND DATA_LENGTH <= ${MAX_COUNTED_BYTES}`;
  const tables = await connection.query(
    `SELECT TABLE_SCHEMA, TABLE_NAME, TABLE_TYPE FROM information_schema.TABLES WHERE TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED') AND ENGINE = 'InnoDB'${limit}`,
  );
  const ours = new Set(await listDatabases(connection));
  // One whose file is not named as a server would name it is not known to InnoDB.
  const counted = tables.filter(([database = '', name = '']) => ours.has(database) && !name.startsWith(UNENCODED));
  const statements = counted.map(([database = '', name = '', type], index) => {
    const history = type === 'SYSTEM VERSIONED' ? ' FOR SYSTEM_TIME ALL' : '';
    return `SELECT ${index}, COUNT(*) FROM ${quoteName(database)}.${quoteName(name)}${history}`;
  });
  const moment = [
    'SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ',
    'START TRANSACTION WITH CONSISTENT SNAPSHOT',
    `SHOW STATUS WHERE Variable_name IN ('Binlog_snapshot_file', 'Binlog_snapshot_position')`,
  ];
  if (atPosition !== null && positionIn(await connection.query(moment.join(';\n'))) !== atPosition) return new Map();
  const rows = await connection.query([...moment, ...statements].join(';\n'), { timeoutMs: COUNT_TIMEOUT_MS });
  if (atPosition !== null && positionIn(rows) !== atPosition) return new Map();
  return new Map(
    rows.flatMap(([index = '', count]) => {
      const [database = '', name = ''] = (/^\d+$/.test(index) ? counted[Number(index)] : undefined) ?? [];
      return name === '' ? [] : [[nameOf(database, name), Number(count)] as const];
    }),
  );
}

function positionIn(rows: readonly string[][]): string {
  const value = (name: string) => rows.find(([key = '']) => key.toLowerCase() === name)?.[1] ?? '';
  return `${value('binlog_snapshot_file')}:${value('binlog_snapshot_position')}`;
}
