import { fromHex } from '../format/blob-id.ts';
import { listFiles } from './list-files.ts';
import type { MaintenanceWork } from './maintenance-work.ts';
import type { PackTable } from './pack-table.ts';

/** Which packs are in the storage, compared with what the index says. */
export interface StoredPacks {
  /** Bytes in the storage per pack of the table, -1: missing. */
  readonly sizes: Float64Array;
  /** Packs in no index. */
  readonly unindexed: readonly StoredPack[];
  /** Bytes of all packs. */
  readonly totalBytes: number;
}

export interface StoredPack {
  /** Hex. */
  readonly id: string;
  readonly sizeBytes: number;
}

/**
 * Lists the packs. Do this after the index was loaded: then all it names must be there. `onForeign` hears of files that
 * are no packs.
 */
export async function listStoredPacks(
  work: MaintenanceWork,
  table: PackTable,
  onForeign?: (path: string) => void,
): Promise<StoredPacks> {
  const sizes = new Float64Array(table.count).fill(-1);
  const unindexed: StoredPack[] = [];
  let totalBytes = 0;
  for await (const { name, path, sizeBytes } of listFiles(work, 'data')) {
    if (name === null) {
      onForeign?.(path);
      continue;
    }
    totalBytes += sizeBytes;
    const pack = table.find(fromHex(name));
    if (pack >= 0) sizes[pack] = sizeBytes;
    else unindexed.push({ id: name, sizeBytes });
  }
  return { sizes, unindexed, totalBytes };
}
