import { headerBytesAtEnd, type PackEntry, parsePackHeader } from '../format/pack-header.ts';
import type { MaintenanceWork } from './maintenance-work.ts';

/** Enough for the headers of most packs in one request. */
const FIRST_BYTES = 64 * 1024;

/** What a pack itself says about its blobs. Throws REPOSITORY_DAMAGED, STORAGE_*. */
export async function readPackHeader(
  { repository, signal }: MaintenanceWork,
  id: string,
  sizeBytes: number,
): Promise<PackEntry[]> {
  const readEnd = (bytes: number) =>
    repository.readPack(id, { start: Math.max(0, sizeBytes - bytes), end: sizeBytes }, signal);
  let tail = await readEnd(FIRST_BYTES);
  const needed = headerBytesAtEnd(tail, sizeBytes);
  if (needed > tail.byteLength) tail = await readEnd(needed);
  return parsePackHeader(repository.box, tail, sizeBytes);
}
