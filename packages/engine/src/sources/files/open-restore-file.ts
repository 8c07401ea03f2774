import { type BigIntStats, closeSync, constants, fstatSync, openSync } from 'node:fs';
import type { RestoreFile, RestoreFileEntry } from '../../ports/source.ts';
import { uidOf } from './apply-metadata.ts';
import { isReplaced, type LocatedItem, locateItem, statExisting } from './choose-item.ts';
import type { FolderChain } from './folder-chain.ts';
import { assertNoFolder, foreseePlace } from './foresee-item.ts';
import { ForeseenFile } from './foreseen-file.ts';
import { type FoundContent, PieceFile } from './piece-file.ts';
import { enterFolder } from './restore-item.ts';
import { digestOf, neverFollow, type RestoreState, reportFailure, temporaryName } from './restore-state.ts';
import { CONTINUED_BYTES } from './unfinished-file.ts';

/** O_NONBLOCK: a FIFO put in the file's place meanwhile must not hang the run. */
const OTHERS_WRITE = 0o022;
const READ_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** Begins a file that comes in pieces; null when it is not to be written, or cannot be (reported). */
export function openRestoreFile(entry: RestoreFileEntry, state: RestoreState): RestoreFile | null {
  const located = locateItem(entry, state);
  if (!located) return null;
  try {
    return state.context.isDryRun ? foreseeFile(entry, located, state) : beginFile(entry, located, state);
  } catch (error) {
    reportFailure(entry.path, error, state);
    return null;
  }
}

function foreseeFile(entry: RestoreFileEntry, located: LocatedItem, state: RestoreState): RestoreFile | null {
  const existing = foreseePlace(located, state);
  assertNoFolder(existing);
  if (existing && !isReplaced(existing, entry, state)) return null;
  const chain = state.chains[located.base];
  const descriptor = existing && chain ? openSame(chain, located, existing, entry) : null;
  return new ForeseenFile({ entry, state, descriptor, isNew: existing === null });
}

function beginFile(entry: RestoreFileEntry, located: LocatedItem, state: RestoreState): RestoreFile | null {
  const chain = enterFolder(located, state);
  const existing = statExisting(chain, located.name, state);
  if (existing && !isReplaced(existing, entry, state)) return null;
  if (located.folder.length === 0) neverFollow(located.base, state);
  if (entry.sizeBytes < CONTINUED_BYTES) {
    return new PieceFile(entry, located, {
      state,
      found: existing && keptFile(chain, located, existing, { entry, state }),
      isNew: existing === null,
    });
  }
  const left = state.leftovers.isEmpty ? null : state.leftovers.take(digestOf(located), chain, temporaryName(located));
  const found: FoundContent | null =
    left === null
      ? existing && keptFile(chain, located, existing, { entry, state })
      : { descriptor: left, use: 'continue' };
  return new PieceFile(entry, located, { state, found, isNew: false });
}

function keptFile(
  chain: FolderChain,
  located: LocatedItem,
  existing: BigIntStats,
  { entry, state }: { entry: RestoreFileEntry; state: RestoreState },
): FoundContent | null {
  const descriptor = openSame(chain, located, existing, entry);
  if (descriptor === null) return null;
  return { descriptor, use: mayStay(existing, entry, state) ? 'keep' : 'copy' };
}

/**
 * A file with other names stays as it is for them; only this name gets a new one. And whoever could write into the file
 * until now may still have it open: a new one takes its place, unless he may write into that as well.
 */
function mayStay(existing: BigIntStats, entry: RestoreFileEntry, { owners }: RestoreState): boolean {
  const uid = Number(existing.uid);
  const isTrusted = uid === process.getuid?.() || uid === uidOf(entry, owners);
  const writable = Number(existing.mode) & OTHERS_WRITE;
  return existing.nlink === 1n && isTrusted && (writable & ~entry.mode) === 0;
}

/** Opens what was looked at when it is a file of the right size that may be read; otherwise null. */
function openSame(
  chain: FolderChain,
  { name }: LocatedItem,
  existing: BigIntStats,
  { sizeBytes }: RestoreFileEntry,
): number | null {
  if (!existing.isFile() || sizeBytes === 0 || existing.size !== BigInt(sizeBytes)) return null;
  let descriptor: number | null = null;
  try {
    descriptor = openSync(chain.pathOf(name), READ_FLAGS);
    const stats = fstatSync(descriptor, { bigint: true });
    if (stats.ino === existing.ino && stats.dev === existing.dev) return descriptor;
  } catch {
    // Not to be read: then it is written as a whole.
  }
  if (descriptor !== null) closeSync(descriptor);
  return null;
}
