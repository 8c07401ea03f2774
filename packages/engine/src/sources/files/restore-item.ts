import { type BigIntStats, mkdirSync, renameSync } from 'node:fs';
import { displayPath } from '../../ports/display-path.ts';
import type { RestoreEntry } from '../../ports/source.ts';
import { packMetadata } from './apply-metadata.ts';
import { type BytePath, toBytePath } from './byte-paths.ts';
import { assertFolderFits, isReplaced, isSameTime, type LocatedItem, locateItem, statExisting } from './choose-item.ts';
import { type FolderChain, UnsafeFolderError } from './folder-chain.ts';
import { foreseeItem } from './foresee-item.ts';
import { isPlainPath, namesOf, type Place } from './restore-places.ts';
import {
  chainOf,
  countWritten,
  neverFollow,
  placeKey,
  placeText,
  type RestoreState,
  reportFailure,
  temporaryName,
} from './restore-state.ts';
import { makeSmallFile, mayMakeInPlace } from './unfinished-file.ts';
import {
  lstatIfThere,
  type MetadataFailures,
  makeSpecial,
  type NewItem,
  removeIfThere,
  writeFile,
} from './write-item.ts';

/** Stands in the folder of the item, which is made when it is missing. */
export function enterFolder(place: Place, state: RestoreState): FolderChain {
  const chain = chainOf(state.chains, place);
  chain.enter(place.folder, (names) => recordFolder(state, place.base, names));
  return chain;
}

/** Restores one entry; whatever goes wrong with this item alone becomes a problem. */
export async function restoreItem(entry: RestoreEntry, state: RestoreState): Promise<void> {
  const located = locateItem(entry, state);
  if (!located) return;
  try {
    if (state.context.isDryRun) foreseeItem(entry, located, state);
    else if (entry.type === 'directory') restoreFolder({ ...located, entry }, state);
    else await restoreNonFolder({ ...located, entry }, state);
  } catch (error) {
    reportFailure(entry.path, error, state);
  }
}

interface Item extends LocatedItem {
  readonly entry: RestoreEntry;
}

/** What is new is taken back after a failure, unless it may stay. */
function recordFolder(state: RestoreState, base: number, names: readonly BytePath[]): void {
  if (state.context.isVerified) return;
  state.journals.folders.append({ kind: 'folder', base, place: names.join('/') });
}

function restoreFolder({ entry, ...place }: Item, state: RestoreState): void {
  const { name, isAncestor } = place;
  const names = namesOf(place);
  const chain = enterFolder(place, state);
  const existing = lstatIfThere(chain.pathOf(name));
  assertFolderFits(existing, place, state);
  let isWritten = !isAncestor;
  if (existing === null) {
    mkdirSync(chain.pathOf(name), 0o700);
    recordFolder(state, place.base, names);
    chain.enter(names);
    chain.markOwn();
  } else {
    chain.enter(names);
    state.leftovers.collect(chain, { base: place.base, names });
    if (isAncestor) return;
    isWritten = isReplaced(existing, entry, state);
    // A folder that is as old as the stored one gets its time again: what is put into it changes that.
    if (!isWritten && !isSameTime(existing, entry)) return;
  }
  state.journals.folders.append({
    kind: 'metadata',
    base: place.base,
    place: placeText(place),
    data: packMetadata(entry),
  });
  if (isWritten) countWritten(entry.path, 0, state);
}

async function restoreNonFolder({ entry, ...place }: Item, state: RestoreState): Promise<void> {
  const chain = enterFolder(place, state);
  const { content } = entry;
  const isSmall = content !== null && entry.segments === null && entry.isStream !== true && mayMakeInPlace(entry);
  // In a folder of our own there is nothing to look for; a name that comes twice shows when the file is made. But content
  // that is not at hand is not fetched for a name that cannot be.
  const atHand = isSmall && chain.isOwn ? state.smallContent.readNow(content, entry.sizeBytes) : null;
  const existing = atHand ? null : statExisting(chain, place.name, state);
  if (existing && !isReplaced(existing, entry, state)) return;
  if (place.folder.length === 0) neverFollow(place.base, state);
  const making = { chain, existing, place, entry, state };
  if (!isSmall || existing) return await makeBeside(making, content);
  await makeSmall(making, atHand ?? (await state.smallContent.read(content, entry.sizeBytes)));
}

interface Making {
  readonly chain: FolderChain;
  readonly existing: BigIntStats | null;
  readonly place: LocatedItem;
  readonly entry: RestoreEntry;
  readonly state: RestoreState;
}

/** The content came first, so nothing waits under its own name for the storage. */
async function makeSmall(making: Making, bytes: Uint8Array): Promise<void> {
  const { chain, entry, place, state } = making;
  const failures = makeSmallFile(chain, { name: place.name, entry, bytes }, state.owners);
  if (failures === null) {
    // Something is there by now, or files cannot be made in this way here.
    const existing = statExisting(chain, place.name, state);
    if (existing === null || isReplaced(existing, entry, state)) await makeBeside({ ...making, existing }, [bytes]);
    return;
  }
  state.context.progress({ bytes: bytes.byteLength });
  endItem(making, { kind: 'created', failures, bytes: bytes.byteLength });
}

/** Makes it under a temporary name. What replaces something stays there until `commit`, unless it was verified. */
async function makeBeside(
  { chain, existing, place, entry, state }: Making,
  content: AsyncIterable<Uint8Array> | Iterable<Uint8Array> | null,
): Promise<void> {
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
  const isAtOnce = existing === null || state.context.isVerified === true;
  if (!isAtOnce && lstatIfThere(chain.pathOf(temporary)) !== null) state.stagedAgain.set(placeKey(place), 'waits');
  let failures: MetadataFailures;
  try {
    failures = content ? await writeFile(item, content) : makeSpecial(item);
    if (isAtOnce) renameSync(chain.pathOf(temporary), chain.pathOf(place.name));
    // Renaming one name of a file to another one of the same file does nothing at all.
    if (isAtOnce && existing !== null && entry.type === 'hardlink') removeIfThere(chain.pathOf(temporary));
  } catch (error) {
    removeIfThere(chain.pathOf(temporary));
    throw error;
  }
  endItem({ entry, place, state }, { kind: isAtOnce ? 'created' : 'staged', failures, bytes });
}

interface MadeItem {
  readonly kind: 'created' | 'staged';
  readonly failures: MetadataFailures;
  readonly bytes: number;
}

function endItem(
  { entry, place, state }: Pick<Making, 'entry' | 'place' | 'state'>,
  { kind, failures, bytes }: MadeItem,
): void {
  if (failures.length > 0) {
    state.context.problem({ path: displayPath(entry.path), code: 'metadata', message: failures.join('; ') });
  }
  recordItem(kind, place, state);
  countWritten(entry.path, bytes, state);
}

function recordItem(kind: 'created' | 'staged', place: Place, state: RestoreState): void {
  if (state.context.isVerified) return;
  state.journals[kind].append({ kind, base: place.base, place: placeText(place) });
}

/** The restored first name of a hard link, staged or in place; null when this restore did not make it. */
function findFirstName(entry: RestoreEntry, state: RestoreState): string | Buffer | null {
  const target = toBytePath(entry.linkTarget ?? new Uint8Array(0));
  const place = isPlainPath(target) ? state.places.find(target) : null;
  if (!place || place.name === '') throw new UnsafeFolderError('its first name would lead outside the target');
  const chain = chainOf(state.linkChains, place);
  chain.enter(place.folder);
  const staged = state.context.isVerified ? null : chain.pathOf(temporaryName(place));
  if (staged && lstatIfThere(staged)?.isFile()) return staged;
  const inPlace = chain.pathOf(place.name);
  const stats = lstatIfThere(inPlace);
  return stats?.isFile() && stats.ctimeNs >= state.startedAtNs ? inPlace : null;
}
