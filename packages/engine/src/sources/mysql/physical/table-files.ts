/** The files that tables and views of a server lie in: what a copy must have of them. */
import type { InventoryObject } from '../../../ports/database-inventory.ts';
import type { MysqlConnection } from '../connection.ts';
import { UNENCODED } from '../sql-text.ts';
import type { FileList } from './file-list.ts';
import { nameOf } from './list-objects.ts';

/** Names of files as the server makes them of other names, whose bytes no answer can show as they are. */
const TABLES_SQL = `SELECT TABLE_SCHEMA, TABLE_NAME, HEX(CONVERT(TABLE_SCHEMA USING filename)), HEX(CONVERT(TABLE_NAME USING filename))
  FROM information_schema.TABLES WHERE TABLE_SCHEMA NOT IN ('information_schema', 'performance_schema')
  AND TABLE_TYPE <> 'TEMPORARY'`;
const SPACES_SQL = `SELECT NAME FROM information_schema.INNODB_SYS_TABLESPACES WHERE NAME LIKE '%/%'`;
/** Behind the name of a table: one of its partitions. */
const PARTITION = /#p#.*$/i;

/** By their paths in the data folder: names of the objects in them. MySQL keeps its definitions elsewhere; none are known then. */
export type TableFiles = ReadonlyMap<string, string>;

/** See above. */
export async function listTableFiles(connection: MysqlConnection): Promise<TableFiles> {
  const files = new Map<string, string>();
  if (connection.server.flavour !== 'mariadb') return files;
  const text = (hex: string) => Buffer.from(hex, 'hex').toString('latin1');
  const objects = new Map<string, string>();
  for (const [database = '', name = '', folder = '', file = ''] of await connection.query(TABLES_SQL)) {
    const path = `${unencoded(database) ?? text(folder)}/${unencoded(name) ?? text(file)}`;
    objects.set(path, nameOf(database, name));
    files.set(`${path}.frm`, nameOf(database, name));
  }
  for (const [path = ''] of await connection.query(SPACES_SQL)) {
    const object = objects.get(path.replace(PARTITION, ''));
    if (object !== undefined) files.set(`${path}.ibd`, object);
  }
  return files;
}

/** The name of a file that is called as no server would call it; null: it is encoded. */
const unencoded = (name: string): string | null => (name.startsWith(UNENCODED) ? name.slice(UNENCODED.length) : null);

/** Objects that were there before and after, with those of their files that are not in the copy. */
export function missingFiles(before: TableFiles, after: TableFiles, copied: FileList): Map<string, string[]> {
  const missing = new Map<string, string[]>();
  for (const [file, object] of before) {
    // One that was made anew meanwhile has another ending until the copy is made ready.
    const isThere = copied.has(file) || copied.has(file.replace(/\.ibd$/, '.new')) || copied.has(`${file}.new`);
    if (after.get(file) !== object || isThere) continue;
    missing.set(object, [...(missing.get(object) ?? []), file]);
  }
  return missing;
}

const IN_FILES = new Set(['table', 'view', 'sequence']);

/** Those of the objects that the copy has. */
export function withoutMissing(
  objects: readonly InventoryObject[],
  missing: ReadonlyMap<string, readonly string[]>,
): InventoryObject[] {
  return objects.filter(({ kind, name }) => !(IN_FILES.has(kind) && missing.has(name)));
}
