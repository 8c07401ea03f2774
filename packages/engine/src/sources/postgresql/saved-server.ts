/** Which server a dump comes from, as its table of contents says. */
import type { RestoreEntry } from '../../ports/source.ts';
import { TocReader } from './archive-toc.ts';
import { endsDump } from './dump-input.ts';
import { placeOf } from './entry-paths.ts';

/** As inventories have it. */
export const productName = (version: string): string => `PostgreSQL ${version}`;

/** See `SourceDriver.savedServer`. Throws ArchiveFormatError. */
export async function savedServer({ path, content }: Pick<RestoreEntry, 'path' | 'content'>): Promise<string | null> {
  const place = placeOf(path);
  if (!place || !content) return null;
  const isDump = place.item === 'dump';
  if (!isDump && !(place.item === 'part' && endsDump(place.file))) return null;
  const reader = new TocReader(isDump ? 'custom' : 'directory');
  for await (const chunk of content) {
    const read = reader.push(chunk);
    if (read) return productName(read.toc.serverVersion);
  }
  return null;
}
