/** Whether an item is restored, where to, and over what. */
import type { BigIntStats } from 'node:fs';
import { displayPath } from '../../ports/display-path.ts';
import type { RestoreEntry } from '../../ports/source.ts';
import { type BytePath, isWithin, toBytePath } from './byte-paths.ts';
import { type FolderChain, UnsafeFolderError } from './folder-chain.ts';
import { type FolderPlace, isPlainName, isPlainPath, type Place } from './restore-places.ts';
import { chainOf, type RestoreState } from './restore-state.ts';
import { isUnfinished } from './unfinished-file.ts';
import { lstatIfThere } from './write-item.ts';

/** Two times closer than this are the same: the runtime cannot set times more finely. */
const TIME_SLACK_NS = 1000n;

/** Where an item goes, and how much it is wanted. */
export interface LocatedItem extends Place {
  readonly isAncestor: boolean;
}

/** Null when the item is not wanted, or must not be restored (reported). */
export function locateItem(entry: Pick<RestoreEntry, 'path' | 'type'>, state: RestoreState): LocatedItem | null {
  const path = toBytePath(entry.path);
  const slash = path.lastIndexOf('/');
  const name = path.slice(slash + 1);
  const folder = folderPlace(path.slice(0, slash), state);
  if (folder && isPlainName(name)) return { base: folder.base, folder: folder.names, name, isAncestor: false };
  return locateSlowly(path, entry, state);
}

/** Most items follow one that went into the same folder: then nothing need be looked up again. */
function folderPlace(path: BytePath, state: RestoreState): FolderPlace | null {
  if (path !== state.lastFolder.path) {
    const isWanted = state.wanted === null || state.wanted.some((item) => isWithin(path, item));
    const place = isWanted && isPlainPath(path) ? state.places.findFolder(path) : null;
    state.lastFolder = { path, place };
  }
  return state.lastFolder.place;
}

function locateSlowly(
  path: BytePath,
  entry: Pick<RestoreEntry, 'path' | 'type'>,
  state: RestoreState,
): LocatedItem | null {
  const unsafe = (message: string) => {
    state.context.problem({ path: displayPath(entry.path), code: 'unsafe', message });
    return null;
  };
  if (!isPlainPath(path)) return unsafe('its name would lead outside the target');
  const choice = chooseEntry(path, entry, state.wanted);
  if (choice === 'no') return null;
  const place = state.places.find(path);
  if (!place) return unsafe('it lies outside the paths of the task; restore it to another folder');
  return place.name === '' ? null : { ...place, isAncestor: choice === 'ancestor' };
}

/** `ancestor`: a folder on the way to something wanted; made when missing, otherwise left alone. */
function chooseEntry(
  path: BytePath,
  entry: Pick<RestoreEntry, 'type'>,
  wanted: RestoreState['wanted'],
): 'yes' | 'no' | 'ancestor' {
  if (wanted === null || wanted.some((item) => isWithin(path, item))) return 'yes';
  return entry.type === 'directory' && wanted.some((item) => isWithin(item, path)) ? 'ancestor' : 'no';
}

/** A folder is never put in the place of something else; a link that the user named may stand for it. */
export function assertFolderFits(existing: BigIntStats | null, place: Place, state: RestoreState): void {
  const mayFollow = chainOf(state.chains, place).mayFollowFirst && place.folder.length === 0;
  if (existing === null || existing.isDirectory() || (mayFollow && existing.isSymbolicLink())) return;
  throw new UnsafeFolderError('something that is not a folder is in the way');
}

/**
 * What stands in the place of something that is no folder; throws when it is a folder. In a folder that was made just
 * now there is nothing to look for; with content that must not be read in vain the name is tried all the same.
 */
export function statExisting(chain: FolderChain, name: BytePath, { context }: RestoreState): BigIntStats | null {
  const existing = chain.isOwn && context.isVerified ? null : lstatIfThere(chain.pathOf(name));
  if (existing?.isDirectory()) throw new UnsafeFolderError('a folder is in the way');
  return existing;
}

export function isSameTime(existing: BigIntStats, { modifiedAtNs }: Pick<RestoreEntry, 'modifiedAtNs'>): boolean {
  const apartNs = existing.mtimeNs - modifiedAtNs;
  return apartNs <= TIME_SLACK_NS && apartNs >= -TIME_SLACK_NS;
}

/** Counts the item as skipped when the overwrite mode keeps what is there; what is half a file it never keeps. */
export function isReplaced(
  existing: BigIntStats,
  entry: Pick<RestoreEntry, 'path' | 'modifiedAtNs' | 'mode' | 'sizeBytes'>,
  state: RestoreState,
): boolean {
  const { overwrite } = state.context;
  if (overwrite === 'always' || isUnfinished(existing, entry)) return true;
  if (overwrite === 'if_newer' && entry.modifiedAtNs > existing.mtimeNs + TIME_SLACK_NS) return true;
  state.counts.itemsSkipped += 1;
  state.context.progress({ items: 1, currentItem: displayPath(entry.path) });
  return false;
}
