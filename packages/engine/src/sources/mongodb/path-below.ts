import { DUMP, folderName, INVENTORY, placeOf, ROOT, USERS } from './entry-paths.ts';

/** Where below a folder an archive or a list is written; null for what is no part of such a backup. */
export function pathBelow(entryPath: Uint8Array): string | null {
  const place = placeOf(entryPath);
  if (!place) return null;
  if (place.item === 'users') return `${ROOT}/${USERS}`;
  const file = place.item === 'dump' ? DUMP : INVENTORY;
  return place.database === null ? `${ROOT}/${file}` : `${ROOT}/${folderName(place.database)}/${file}`;
}
