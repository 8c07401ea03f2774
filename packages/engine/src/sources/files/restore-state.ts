import { hash } from 'node:crypto';
import { AppError } from '@backupx/contracts/errors';
import type { ItemProblem } from '@backupx/contracts/jobs';
import { displayPath } from '../../ports/display-path.ts';
import { threadMark } from '../../ports/process-mark.ts';
import type { RestoreContext } from '../../ports/source.ts';
import type { BytePath } from './byte-paths.ts';
import { errnoOf, reasonOf } from './errno.ts';
import { type FolderChain, UnsafeFolderError } from './folder-chain.ts';
import type { Leftovers } from './leftovers.ts';
import type { OwnerNames } from './owner-names.ts';
import type { RestoreJournals } from './restore-journal.ts';
import { type FolderPlace, namesOf, type Place, type PlaceMap } from './restore-places.ts';
import type { SmallContent } from './small-content.ts';
import { UnsupportedItemError } from './write-item.ts';

/** What one restore remembers. */
export interface RestoreState {
  readonly context: RestoreContext;
  readonly places: PlaceMap;
  /** One chain per base: for the items in their order, for the first names of hard links, for files from pieces. */
  readonly chains: readonly FolderChain[];
  readonly linkChains: readonly FolderChain[];
  readonly pieceChains: readonly FolderChain[];
  readonly journals: RestoreJournals;
  readonly owners: OwnerNames;
  readonly leftovers: Leftovers;
  readonly smallContent: SmallContent;
  /** Paths asked for, each with everything below it; null: all. */
  readonly wanted: readonly BytePath[] | null;
  readonly counts: { itemsWritten: number; bytesWritten: number; itemsSkipped: number; foreseen: number };
  /**
   * Places (`placeKey`) of which a later item took the temporary name of an earlier one: an archive may hold a name twice.
   * `gone`: it is in place, or taken back.
   */
  readonly stagedAgain: Map<string, 'waits' | 'gone'>;
  /** An inode that was not touched since then was not restored by us. */
  readonly startedAtNs: bigint;
  /** What the last items had in common; null: nothing that may be used again. */
  lastFolder: { readonly path: BytePath; readonly place: FolderPlace | null };
}

export const TEMP_PREFIX = '.backupx-restore-';

/** Names below the base as one text, for journals and digests. */
export function placeText(place: Place): BytePath {
  return namesOf(place).join('/');
}

/** Tells a place from all others of one restore. */
export function placeKey(place: Place): string {
  return `${place.base}/${placeText(place)}`;
}

/** Tells a place from all others in a temporary name, also in the name that a killed restore left. */
export function digestOf(place: Place): string {
  return hash('sha256', Buffer.from(placeText(place), 'latin1'), 'hex').slice(0, 20);
}

/**
 * The name an item waits under beside its place; the same for the same place and thread. Two restores that run at once must
 * not take each other's: each has a thread of its own.
 */
export function temporaryName(place: Place): BytePath {
  return `${TEMP_PREFIX}${threadMark}-${digestOf(place)}`;
}

let namesGiven = 0;

/** A temporary name that costs less, for what is in its place at once. */
export function passingName(): BytePath {
  namesGiven += 1;
  return `${TEMP_PREFIX}${threadMark}-${namesGiven}`;
}

export function chainOf(chains: readonly FolderChain[], place: Pick<Place, 'base'>): FolderChain {
  const chain = chains[place.base];
  if (!chain) throw new Error(`no base folder ${place.base}`);
  return chain;
}

/** A link put there by the archive is not one that the user chose. */
export function neverFollow(base: number, state: RestoreState): void {
  for (const chains of [state.chains, state.linkChains, state.pieceChains]) chains[base]?.neverFollow();
}

/**
 * Reports what went wrong with one item; throws what concerns more (damaged archive, cancelled). A full disk ends a
 * restore that keeps what it has: fetching the rest would be in vain.
 */
export function reportFailure(path: Uint8Array, error: unknown, state: RestoreState): void {
  const code = problemCode(error);
  if (code === null) throw error;
  if (state.context.isVerified && ['ENOSPC', 'EDQUOT'].includes(errnoOf(error))) {
    throw new AppError(
      'RESTORE_TARGET_INVALID',
      { path: displayPath(path), reason: reasonOf(error) },
      { cause: error },
    );
  }
  const isOurs = error instanceof UnsafeFolderError || error instanceof UnsupportedItemError;
  state.context.problem({ path: displayPath(path), code, message: isOurs ? error.message : reasonOf(error) });
}

/** Errors of the file system concern the item; null for all others. */
function problemCode(error: unknown): ItemProblem['code'] | null {
  if (error instanceof UnsafeFolderError) return 'unsafe';
  if (error instanceof UnsupportedItemError) return 'unsupported';
  const { syscall, code } = error as NodeJS.ErrnoException;
  return typeof syscall === 'string' && typeof code === 'string' ? 'write_failed' : null;
}

/** One item of so many is named: nobody sees more of them, and small files take no longer than their names. */
const NAMED_EVERY = 16;
const NAMED_BYTES = 1024 * 1024;
const ONE_ITEM = { items: 1 };

/** Counts one item that was (or, in a dry run, would be) written. */
export function countWritten(path: Uint8Array, bytes: number, state: RestoreState): void {
  const { counts, context } = state;
  const isNamed = counts.itemsWritten % NAMED_EVERY === 0 || bytes >= NAMED_BYTES;
  counts.itemsWritten += 1;
  counts.bytesWritten += bytes;
  context.progress(isNamed ? { items: 1, currentItem: displayPath(path) } : ONE_ITEM);
}
