/**
 * What a database holds, counted on the server before a dump and looked for in the dump after it: a dump that a tool
 * calls good may lack triggers, routines or whole tables. Stored beside each dump as `inventory.json`.
 */
import { AppError } from '@backupx/contracts/errors';
import { z } from 'zod';

const objectSchema = z.object({
  /** In the words of the engine: `table`, `view`, `trigger`, `function`, `event`, `collection`, … */
  kind: z.string(),
  /** As the engine shows it, with its schema where there are schemas. */
  name: z.string(),
  /** Rows or documents, where they were counted in the same moment as the dump. */
  rows: z.number().optional(),
});
export type InventoryObject = z.output<typeof objectSchema>;

const leftOutSchema = z.object({
  kind: z.string(),
  name: z.string(),
  /** In the words of the server. */
  reason: z.string(),
  /** What would make it, where the server told that. */
  definition: z.string().optional(),
});
export type LeftOutObject = z.output<typeof leftOutSchema>;

const inventorySchema = z.object({
  format: z.literal(1),
  /** Name and version: `PostgreSQL 15.18`. */
  server: z.string(),
  /** The program that dumped, with its version. */
  tool: z.string(),
  database: z.string(),
  objects: z.array(objectSchema),
  /** What was there and could not be read, so that it is none of the objects. */
  leftOut: z.array(leftOutSchema).optional(),
  /** Encoding, owner, log positions, … for people and for a restore. */
  details: z.record(z.string(), z.string()),
});
export type DatabaseInventory = z.output<typeof inventorySchema>;

const keyOf = ({ kind, name }: Pick<InventoryObject, 'kind' | 'name'>): string => `${kind} ${name}`;

/** Stable text: the same database gives the same bytes. */
export function formatInventory(inventory: DatabaseInventory): string {
  const objects = [...inventory.objects].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  const details = Object.fromEntries(Object.entries(inventory.details).sort(([a], [b]) => (a < b ? -1 : 1)));
  return `${JSON.stringify({ ...inventory, objects, details }, null, 1)}\n`;
}

/** Throws ARTIFACT_DAMAGED when it is none. */
export function parseInventory(text: string): DatabaseInventory {
  try {
    return inventorySchema.parse(JSON.parse(text));
  } catch (error) {
    throw new AppError('ARTIFACT_DAMAGED', { reason: 'the inventory of a dump cannot be read' }, { cause: error });
  }
}

/** What of `expected` is not in `found`, or has another number of rows there; in words, one per object, in order. */
export function missingObjects(expected: readonly InventoryObject[], found: readonly InventoryObject[]): string[] {
  const byKey = new Map(found.map((object) => [keyOf(object), object]));
  return expected.flatMap((object) => {
    const other = byKey.get(keyOf(object));
    if (!other) return [`${keyOf(object)} is missing`];
    if (object.rows === undefined || other.rows === undefined || object.rows === other.rows) return [];
    return [`${keyOf(object)} has ${other.rows} rows instead of ${object.rows}`];
  });
}

/** What could not be read, in words: `view v is missing: View 'shop.v' references …`. */
export function describeLeftOut(leftOut: readonly LeftOutObject[] = []): string[] {
  return leftOut.map((object) => `${keyOf(object)} is missing: ${object.reason}`);
}

export function withoutLeftOut(
  objects: readonly InventoryObject[],
  leftOut: readonly LeftOutObject[],
): readonly InventoryObject[] {
  const keys = new Set(leftOut.map(keyOf));
  return objects.filter((object) => !keys.has(keyOf(object)));
}

/** `3 tables, 1 view`: for the log. */
export function countObjects(objects: readonly InventoryObject[]): string {
  const counts = new Map<string, number>();
  for (const { kind } of objects) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  const parts = [...counts].sort(([a], [b]) => (a < b ? -1 : 1));
  return parts.map(([kind, count]) => `${count} ${count === 1 ? kind : pluralOf(kind)}`).join(', ') || 'nothing';
}

function pluralOf(kind: string): string {
  if (kind.endsWith('s')) return kind;
  return kind.endsWith('x') ? `${kind}es` : `${kind}s`;
}
