import { join } from 'node:path';
import { DUMP, DUMP_FOLDER, folderNameOf, GLOBALS, INVENTORY, placeOf, ROOT } from './entry-paths.ts';

/** Where below a folder an entry is restored; made from what it stands for, not from its text. Null: it is none of ours. */
export function pathBelow(entryPath: Uint8Array): string | null {
  const place = placeOf(entryPath);
  if (!place) return null;
  if (place.item === 'globals') return join(ROOT, GLOBALS);
  const below = { dump: DUMP, part: join(DUMP_FOLDER, place.file), inventory: INVENTORY }[place.item];
  return join(ROOT, folderNameOf(place.database ?? ''), below);
}
