/**
 * Small new files are made under their own name, because renaming one costs half as much again as writing it. Until such
 * a file is whole it has a mode that no other file has and that lets nobody read it; its own mode is the last thing it
 * gets. A restore that is killed leaves one of them at most, and the next one knows it for what it is.
 */
import { type BigIntStats, closeSync, constants, fstatSync, ftruncateSync, openSync, unlinkSync } from 'node:fs';
import type { RestoreEntry } from '../../ports/source.ts';
import { applyToDescriptor, gidOf, type ItemMetadata, isRoot, uidOf } from './apply-metadata.ts';
import type { BytePath } from './byte-paths.ts';
import { errnoOf } from './errno.ts';
import type { FolderChain } from './folder-chain.ts';
import type { OwnerNames } from './owner-names.ts';
import { writeData } from './write-bytes.ts';
import { removeIfThere } from './write-item.ts';

/** Only the owner may write, nobody may read; the sticky bit means nothing for files. */
export const UNFINISHED_MODE = 0o1200;
/** A larger file waits under a temporary name, where a later restore may go on with it. */
export const CONTINUED_BYTES = 1024 * 1024;

const CREATE_FLAGS = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
const ownUid = process.geteuid?.() ?? -1;
const ownGid = process.getegid?.() ?? -1;

/** What files made in a folder turn out to be: the mask, the folder or the file system may have a say. */
export interface CreationTraits {
  /** They have the mode that was asked for, so an unfinished one can be told. */
  readonly isMarked: boolean;
  /** They belong to the user and the group of this process. */
  readonly isOurs: boolean;
}

type SizedFile = Pick<RestoreEntry, 'mode' | 'sizeBytes'>;

/** Whether a file may be made under its own name, when nothing stands there. */
export function mayMakeInPlace({ mode, sizeBytes, xattrs }: SizedFile & Pick<RestoreEntry, 'xattrs'>): boolean {
  // Attributes may be ACLs, which have a say in the mode.
  return sizeBytes < CONTINUED_BYTES && xattrs === null && (mode & 0o7777) !== UNFINISHED_MODE;
}

/** A file whose content is there as a whole. */
export interface SmallFile {
  readonly name: BytePath;
  readonly entry: SizedFile & ItemMetadata;
  readonly bytes: Uint8Array;
}

/**
 * Makes a new file in the folder the chain stands in, with all metadata; answers sentences about metadata that did not
 * take. Null: not here, or something of that name is there by now. What fails leaves nothing. Throws system errors.
 */
export function makeSmallFile(chain: FolderChain, file: SmallFile, owners: OwnerNames): string[] | null {
  const { name, entry, bytes } = file;
  const descriptor = createUnfinished(chain, name);
  if (descriptor === null) return null;
  let isOpen = true;
  try {
    if (writeData(descriptor, bytes, 0) !== bytes.byteLength) ftruncateSync(descriptor, bytes.byteLength);
    const target = { descriptor, path: '', hasOwner: hasOwner(chain, entry, owners) };
    const failures = applyToDescriptor(target, entry, owners);
    // Also when that fails it is closed, and the number may be somebody else's file by then.
    isOpen = false;
    closeSync(descriptor);
    return failures;
  } catch (error) {
    if (isOpen) closeSync(descriptor);
    removeIfThere(chain.pathOf(name));
    throw error;
  }
}

/** Null: see `makeSmallFile`. */
function createUnfinished(chain: FolderChain, name: BytePath): number | null {
  if (chain.creationTraits?.isMarked === false) return null;
  const path = chain.pathOf(name);
  let descriptor: number;
  try {
    descriptor = openSync(path, CREATE_FLAGS, UNFINISHED_MODE);
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return null;
    // There are file systems that refuse the mode: what it really was shows where it is not asked for.
    if (chain.creationTraits) throw error;
    chain.creationTraits = { isMarked: false, isOurs: false };
    return null;
  }
  if (chain.creationTraits) return descriptor;
  const stats = fstatSync(descriptor);
  const isMarked = (stats.mode & 0o7777) === UNFINISHED_MODE;
  chain.creationTraits = { isMarked, isOurs: stats.uid === ownUid && stats.gid === ownGid };
  if (isMarked) return descriptor;
  closeSync(descriptor);
  unlinkSync(path);
  return null;
}

/** Whether an unfinished file has its owner as it was made; what cannot be set counts as right. */
function hasOwner(chain: FolderChain, metadata: ItemMetadata, owners: OwnerNames): boolean {
  if (!isRoot) return true;
  const isOurs = uidOf(metadata, owners) === ownUid && gidOf(metadata, owners) === ownGid;
  return isOurs && chain.creationTraits?.isOurs === true;
}

/** Whether this is what a killed restore left of the file. */
export function isUnfinished(existing: BigIntStats, { mode, sizeBytes }: SizedFile): boolean {
  return (
    (mode & 0o7777) !== UNFINISHED_MODE &&
    existing.isFile() &&
    Number(existing.mode & 0o7777n) === UNFINISHED_MODE &&
    existing.nlink === 1n &&
    existing.size <= BigInt(sizeBytes)
  );
}
