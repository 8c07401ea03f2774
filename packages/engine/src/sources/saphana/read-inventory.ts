import { type DatabaseInventory, parseInventory } from '../../ports/database-inventory.ts';
import { readText } from '../../ports/entry-content.ts';

const MAX_BYTES = 16 * 1024 * 1024;

/** Throws ARTIFACT_DAMAGED. */
export async function readInventory(content: AsyncIterable<Uint8Array>): Promise<DatabaseInventory> {
  return parseInventory(await readText(content, MAX_BYTES));
}

/** Files that are not there, or have not the size HANA wrote; in words. `sizes`: what was found, by name. */
export function missingFiles(inventory: DatabaseInventory, sizes: ReadonlyMap<string, number>): string[] {
  return inventory.objects.flatMap(({ kind, name }) => {
    if (kind !== 'file') return [];
    const found = sizes.get(name);
    const expected = Number(inventory.details[`bytes of ${name}`] ?? 0);
    if (found === undefined) return [`${name} is missing`];
    return found < expected ? [`${name} has ${found} of ${expected} bytes`] : [];
  });
}
