/** The inventory of a dump: what its table of contents names, with the rows that were counted in it. */
import {
  type DatabaseInventory,
  formatInventory,
  type InventoryObject,
  missingObjects,
} from '../../ports/database-inventory.ts';
import type { ArchiveScanner } from './archive-scanner.ts';
import type { Toc } from './archive-toc.ts';
import { KIND_BY_TOC, LARGE_OBJECTS, objectName } from './server-objects.ts';

/** Objects of a dump that has passed, in its own words. */
export function dumpObjects(toc: Toc, scanner: Pick<ArchiveScanner, 'rows' | 'largeObjects'>): InventoryObject[] {
  const rows = new Map<string, number>();
  for (const { kind, dumpId, namespace, tag } of toc.entries) {
    const count = scanner.rows.get(dumpId);
    if (kind === 'TABLE DATA' && count !== undefined) rows.set(objectName(namespace, tag), count);
  }
  const objects = toc.entries.flatMap((entry): InventoryObject[] => {
    const kind = KIND_BY_TOC[entry.kind];
    if (kind === undefined || (kind === 'schema' && entry.tag === 'public')) return [];
    const name = objectName(entry.namespace, entry.tag);
    const count = kind === 'table' ? rows.get(name) : undefined;
    return [count === undefined ? { kind, name } : { kind, name, rows: count }];
  });
  const hasLargeObjects = scanner.largeObjects > 0 && toc.entries.some(({ kind }) => kind === 'BLOBS');
  return hasLargeObjects ? [...objects, { ...LARGE_OBJECTS, rows: scanner.largeObjects }] : objects;
}

/** With the rows the server counted in the same snapshot. */
export function withRows(objects: readonly InventoryObject[], rows: ReadonlyMap<string, number>): InventoryObject[] {
  return objects.map((object) => {
    const count = object.kind === 'table' ? rows.get(object.name) : undefined;
    return count === undefined ? object : { ...object, rows: count };
  });
}

/** What the server has and the dump has not; one sentence each. */
export function findGaps(onServer: readonly InventoryObject[], inDump: readonly InventoryObject[]): string[] {
  return missingObjects(onServer, inDump);
}

/** Tables of these that are in the dump without their rows; one sentence each. */
export function findTablesWithoutRows(toc: Toc, tables: readonly string[]): string[] {
  const namesOf = (wanted: string) =>
    new Set(toc.entries.filter(({ kind }) => kind === wanted).map(({ namespace, tag }) => objectName(namespace, tag)));
  const [defined, filled] = [namesOf('TABLE'), namesOf('TABLE DATA')];
  return tables
    .filter((name) => defined.has(name) && !filled.has(name))
    .map((name) => `the rows of table ${name} are missing`);
}

/** Text of `inventory.json`. */
export function inventoryText(parts: {
  readonly database: string;
  readonly serverVersion: string;
  readonly toolVersion: string;
  readonly objects: readonly InventoryObject[];
  readonly details: Readonly<Record<string, string>>;
}): string {
  const inventory: DatabaseInventory = {
    format: 1,
    server: `PostgreSQL ${parts.serverVersion}`,
    tool: `pg_dump ${parts.toolVersion}`,
    database: parts.database,
    objects: [...parts.objects],
    details: { ...parts.details },
  };
  return formatInventory(inventory);
}
