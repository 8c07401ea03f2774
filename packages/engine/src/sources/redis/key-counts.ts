import type { InventoryObject } from '../../ports/database-inventory.ts';
import type { RdbSummary } from './rdb-scanner.ts';

/** Databases and their keys as an inventory names them; none when they could not be counted. */
export function objectsOf({ keys }: Pick<RdbSummary, 'keys'>): InventoryObject[] {
  return [...(keys ?? [])].map(([database, rows]) => ({ kind: 'database', name: `db${database}`, rows }));
}
