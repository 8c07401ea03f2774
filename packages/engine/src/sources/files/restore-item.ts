import { hash } from 'node:crypto';
import { type BigIntStats, mkdirSync, readdirSync, renameSync } from 'node:fs';
import type { ItemProblem } from '@backupx/contracts/jobs';
import { displayPath, parseDisplayPath } from '../../ports/display-path.ts';
import { isMarkAlive, processMark } from '../../ports/process-mark.ts';
import type { RestoreContext, RestoreEntry } from '../../ports/source.ts';
import { packMetadata } from './apply-metadata.ts';
import { type BytePath, isWithin, toBytePath } from './byte-paths.ts';
import { reasonOf } from './errno.ts';
import { type FolderChain, UnsafeFolderError } from './folder-chain.ts';
import type { OwnerNames } from './owner-names.ts';
import type { RestoreJournals } from './restore-journal.ts';
import { isPlainPath, type Place, type PlaceMap } from './restore-places.ts';
import {
  lstatIfThere,
  makeSpecial,
  type NewItem,
  removeIfThere,
  UnsupportedItemError,
  writeFile,
} from './write-item.ts';

/** What one restore remembers. */
export interface RestoreState {
  readonly context: RestoreContext;
  readonly places: PlaceMap;
  /** One chain per base for the items, one for the first names of hard links. */
  readonly chains: readonly FolderChain[];
  readonly linkChains: readonly FolderChain[];
  readonly journals: RestoreJournals;
  readonly owners: OwnerNames;
  readonly wanted: readonly string[] | null;
  readonly counts: { itemsWritten: number; bytesWritten: number; itemsSkipped: number };
  /** An inode that was not touched since then was not restored by us. */
  readonly startedAtNs: bigint;
}

const TEMP_PREFIX = '.backupx-restore-';
/** Two times closer than this are the same: the runtime cannot set times more finely. */
const TIME_SLACK_NS = 1000n;

/** The name an item waits under beside its place; the same for the same place and process. */
export function temporaryName(place: Place): BytePath {
  const digest = hash('sha256', Buffer.from(place.names.join('/'), 'latin1'), 'hex').slice(0, 20);
  return `${TEMP_PREFIX}${processMark}-${digest}`;
}

/** Restores one entry; whatever goes wrong with this item alone becomes a problem. */
export async function restoreItem(entry: RestoreEntry, state: RestoreState): Promise<void> {
  const path = toBytePath(entry.path);
  const problem = (code: ItemProblem['code'], message: string) =>
    state.context.problem({ path: displayPath(entry.path), code, message });
  if (!isPlainPath(path)) {
    problem('unsafe', 'its name would lead outside the target');
    return;
  }
  const choice = chooseEntry(path, entry, state.wanted);
  if (choice === 'no') return;
  const place = state.places.find(path);
  if (!place) {
    problem('unsafe', 'it lies outside the paths of the task; restore it to another folder');
    return;
  }
  const name = place.names.at(-1);
  if (name === undefined) return;
  try {
    const chain = chainOf(state.chains, place);
    chain.enter(place.names.slice(0, -1), (names) => recordFolder(state, { base: place.base, names }));
    if (entry.type === 'directory') restoreFolder({ entry, place, name, chain }, state, choice === 'ancestor');
    else await restoreNonFolder({ entry, place, name, chain }, state);
  } catch (error) {
    const code = problemCode(error);
    if (code === null) throw error;
    problem(
      code,
      error instanceof UnsafeFolderError || error instanceof UnsupportedItemError ? error.message : reasonOf(error),
    );
  }
}

/** `ancestor`: a folder on the way to something wanted; made when missing, otherwise left alone. */
function chooseEntry(path: BytePath, entry: RestoreEntry, wanted: readonly string[] | null): 'yes' | 'no' | 'ancestor' {
  if (wanted === null) return 'yes';
  const asked = wanted.map((item) => toBytePath(parseDisplayPath(item.length > 1 ? item.replace(/\/+$/, '') : item)));
  if (asked.some((item) => isWithin(path, item))) return 'yes';
  return entry.type === 'directory' && asked.some((item) => isWithin(item, path)) ? 'ancestor' : 'no';
}

/** Errors of the file system concern the item; others (damaged archive, cancelled) end the restore. */
function problemCode(error: unknown): ItemProblem['code'] | null {
  if (error instanceof UnsafeFolderError) return 'unsafe';
  if (error instanceof UnsupportedItemError) return 'unsupported';
  const { syscall, code } = error as NodeJS.ErrnoException;
  return typeof syscall === 'string' && typeof code === 'string' ? 'write_failed' : null;
}

interface Item {
  readonly entry: RestoreEntry;
  readonly place: Place;
  readonly name: BytePath;
  /** Stands in the item's folder. */
  readonly chain: FolderChain;
}

function chainOf(chains: readonly FolderChain[], place: Place): FolderChain {
  const chain = chains[place.base];
  if (!chain) throw new Error(`no base folder ${place.base}`);
  return chain;
}

function recordFolder(state: RestoreState, place: Place): void {
  state.journals.folders.append({ kind: 'folder', base: place.base, place: place.names.join('/') });
}

function restoreFolder({ entry, place, name, chain }: Item, state: RestoreState, isAncestor: boolean): void {
  const mayFollow = chain.mayFollowFirst && place.names.length === 1;
  const existing = lstatIfThere(chain.pathOf(name));
  const isBlocked = existing !== null && !existing.isDirectory() && !(mayFollow && existing.isSymbolicLink());
  if (isBlocked) throw new UnsafeFolderError('something that is not a folder is in the way');
  if (existing === null) {
    mkdirSync(chain.pathOf(name), 0o700);
    recordFolder(state, place);
  } else {
    chain.enter(place.names);
    removeLeftovers(chain);
    if (isAncestor) return;
    if (!isReplaced(existing, entry, state)) return;
  }
  state.journals.folders.append({
    kind: 'metadata',
    base: place.base,
    place: place.names.join('/'),
    data: packMetadata(entry),
  });
  if (isAncestor) return;
  state.counts.itemsWritten += 1;
  state.context.progress({ items: 1, currentItem: displayPath(entry.path) });
}

/** Counts the item as skipped when the overwrite mode keeps what is there. */
function isReplaced(existing: BigIntStats, entry: RestoreEntry, state: RestoreState): boolean {
  const { overwrite } = state.context;
  if (overwrite === 'always') return true;
  if (overwrite === 'if_newer' && entry.modifiedAtNs > existing.mtimeNs + TIME_SLACK_NS) return true;
  state.counts.itemsSkipped += 1;
  state.context.progress({ items: 1, currentItem: displayPath(entry.path) });
  return false;
}

async function restoreNonFolder({ entry, place, name, chain }: Item, state: RestoreState): Promise<void> {
  const existing = lstatIfThere(chain.pathOf(name));
  if (existing?.isDirectory()) throw new UnsafeFolderError('a folder is in the way');
  if (existing && !isReplaced(existing, entry, state)) return;
  const temporary = temporaryName(place);
  let bytes = 0;
  const item: NewItem = {
    path: chain.textPathOf(temporary),
    entry,
    owners: state.owners,
    linkSource: entry.type === 'hardlink' ? findFirstName(entry, state) : null,
    onBytes(count) {
      bytes += count;
      state.context.progress({ bytes: count });
    },
  };
  if (place.names.length === 1) neverFollow(place.base, state);
  try {
    const failures = entry.content ? await writeFile(item, entry.content) : makeSpecial(item);
    if (failures.length > 0) {
      state.context.problem({ path: displayPath(entry.path), code: 'metadata', message: failures.join('; ') });
    }
    if (existing === null) renameSync(chain.pathOf(temporary), chain.pathOf(name));
  } catch (error) {
    removeIfThere(chain.pathOf(temporary));
    throw error;
  }
  const journal = existing ? state.journals.staged : state.journals.created;
  journal.append({ kind: existing ? 'staged' : 'created', base: place.base, place: place.names.join('/') });
  state.counts.itemsWritten += 1;
  state.counts.bytesWritten += bytes;
  state.context.progress({ items: 1, currentItem: displayPath(entry.path) });
}

/** The restored first name of a hard link, staged or in place; null when this restore did not make it. */
function findFirstName(entry: RestoreEntry, state: RestoreState): Buffer | null {
  const target = toBytePath(entry.linkTarget ?? new Uint8Array(0));
  const place = isPlainPath(target) ? state.places.find(target) : null;
  const name = place?.names.at(-1);
  if (!place || name === undefined) throw new UnsafeFolderError('its first name would lead outside the target');
  const chain = chainOf(state.linkChains, place);
  chain.enter(place.names.slice(0, -1));
  const staged = chain.pathOf(temporaryName(place));
  if (lstatIfThere(staged)?.isFile()) return staged;
  const inPlace = chain.pathOf(name);
  const stats = lstatIfThere(inPlace);
  return stats?.isFile() && stats.ctimeNs >= state.startedAtNs ? inPlace : null;
}

/** A link put there by the archive is not one that the user chose. */
function neverFollow(base: number, state: RestoreState): void {
  state.chains[base]?.neverFollow();
  state.linkChains[base]?.neverFollow();
}

/** Clears what a killed restore left in the folder the chain stands in. */
function removeLeftovers(chain: FolderChain): void {
  for (const name of readdirSync(chain.pathOf('.'), { encoding: 'latin1' })) {
    if (!name.startsWith(TEMP_PREFIX)) continue;
    const mark = name.slice(TEMP_PREFIX.length).split('-')[0] ?? '';
    if (!isMarkAlive(mark)) removeIfThere(chain.pathOf(name));
  }
}
