/** Proves that the files of a backup are all there and as long as HANA wrote them. Only HANA itself can read them. */
import type { Verifier } from '../../ports/source.ts';
import { INVENTORY, placeOf } from './entry-paths.ts';
import { missingFiles, readInventory } from './read-inventory.ts';

type Checks = Awaited<ReturnType<Verifier['finish']>>;

/** See above. */
export function openHanaVerifier(): Verifier {
  const sizes = new Map<string, Map<string, number>>();
  const checks: Checks[number][] = [];
  return {
    async write(entry) {
      const place = placeOf(entry.path);
      if (!place || !entry.content) return;
      const known = sizes.get(place.folder) ?? new Map<string, number>();
      sizes.set(place.folder, known);
      if (place.file === INVENTORY) {
        const inventory = await readInventory(entry.content);
        const missing = missingFiles(inventory, known);
        const detail = missing.length > 0 ? missing.join('; ') : `${known.size} file(s) as HANA wrote them`;
        checks.push({ subject: inventory.database, name: 'structure', ok: missing.length === 0, detail });
        sizes.delete(place.folder);
        return;
      }
      let size = 0;
      for await (const chunk of entry.content) size += chunk.byteLength;
      known.set(place.file, size);
    },
    async finish() {
      const left = [...sizes.keys()].map((subject): Checks[number] => ({
        subject,
        name: 'structure',
        ok: false,
        detail: 'its inventory is missing',
      }));
      return [...checks, ...left];
    },
    async close() {},
  };
}
