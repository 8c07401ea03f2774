import type { DatabaseSync } from 'node:sqlite';
import type { InventoryObject } from '../../ports/database-inventory.ts';

const quote = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** Tables, indexes, views and triggers as the schema names them. Throws what SQLite says. */
export function listObjects(database: DatabaseSync): InventoryObject[] {
  const rows = database
    .prepare(
      `SELECT s.type AS kind, s.name AS name, l.type AS tableType FROM main.sqlite_schema s
       LEFT JOIN pragma_table_list l ON l.schema = 'main' AND l.name = s.name ORDER BY s.type, s.name`,
    )
    .all() as { kind: string; name: string; tableType: string | null }[];
  return rows.map(({ kind, name, tableType }) => ({ kind: tableType === 'virtual' ? 'virtual table' : kind, name }));
}

/** The same with the rows of every table; virtual tables keep theirs in tables of their own. */
export function countRows(database: DatabaseSync): InventoryObject[] {
  return listObjects(database).map((object) => {
    if (object.kind !== 'table') return object;
    const row = database.prepare(`SELECT count(*) AS rows FROM main.${quote(object.name)}`).get();
    return { ...object, rows: Number(row?.rows) };
  });
}
