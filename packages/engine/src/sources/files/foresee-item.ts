import type { BigIntStats } from 'node:fs';
import { displayPath } from '../../ports/display-path.ts';
import type { RestoreEntry } from '../../ports/source.ts';
import { assertFolderFits, isReplaced, type LocatedItem } from './choose-item.ts';
import { isMissing } from './errno.ts';
import { UnsafeFolderError } from './folder-chain.ts';
import type { Place } from './restore-places.ts';
import { chainOf, countWritten, type RestoreState } from './restore-state.ts';
import { lstatIfThere } from './write-item.ts';

/** What a dry run says in the log, item by item; the rest is only counted. */
const LOGGED_ITEMS = 1000;

/** Finds out what would become of an item; throws what would stand in its way. */
export function foreseeItem(
  entry: Pick<RestoreEntry, 'path' | 'type' | 'modifiedAtNs' | 'mode' | 'sizeBytes'>,
  located: LocatedItem,
  state: RestoreState,
): void {
  const existing = foreseePlace(located, state);
  const isFolder = entry.type === 'directory';
  if (isFolder) assertFolderFits(existing, located, state);
  else assertNoFolder(existing);
  if (isFolder && located.isAncestor) return;
  if (existing && !isReplaced(existing, entry, state)) return;
  if (existing === null) sayForeseen(entry.path, 'would be made', state);
  else if (!isFolder) sayForeseen(entry.path, 'would be replaced', state);
  countWritten(entry.path, 0, state);
}

/** What stands in the place of an item, whose folder may be missing. */
export function foreseePlace(place: Place, state: RestoreState): BigIntStats | null {
  const chain = chainOf(state.chains, place);
  try {
    chain.enter(place.folder);
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
  return lstatIfThere(chain.pathOf(place.name));
}

export function assertNoFolder(existing: BigIntStats | null): void {
  if (existing?.isDirectory()) throw new UnsafeFolderError('a folder is in the way');
}

export function sayForeseen(path: Uint8Array, what: string, state: RestoreState): void {
  state.counts.foreseen += 1;
  if (state.counts.foreseen <= LOGGED_ITEMS) state.context.log('info', `${displayPath(path)} ${what}.`);
  if (state.counts.foreseen === LOGGED_ITEMS) state.context.log('info', 'Further items are counted but not logged.');
}
