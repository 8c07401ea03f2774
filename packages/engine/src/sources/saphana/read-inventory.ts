import { AppError } from '@backupx/contracts/errors';
import { type DatabaseInventory, parseInventory } from '../../ports/database-inventory.ts';

const MAX_BYTES = 16 * 1024 * 1024;

/** Throws ARTIFACT_DAMAGED. */
export async function readInventory(content: AsyncIterable<Uint8Array>): Promise<DatabaseInventory> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of content) {
    size += chunk.byteLength;
    if (size > MAX_BYTES) throw new AppError('ARTIFACT_DAMAGED', { reason: 'the inventory of a backup is too large' });
    chunks.push(Uint8Array.from(chunk));
  }
  return parseInventory(Buffer.concat(chunks).toString('utf8'));
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
