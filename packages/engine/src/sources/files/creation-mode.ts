/** Files that are right as they are made: setting owner and mode once more takes as long as writing a small file. */
import { fstatSync } from 'node:fs';
import { gidOf, type ItemMetadata, isRoot, uidOf } from './apply-metadata.ts';
import type { FolderChain } from './folder-chain.ts';
import type { OwnerNames } from './owner-names.ts';

const ownUid = process.geteuid?.() ?? -1;
const ownGid = process.getegid?.() ?? -1;
const NO_BITS = 0o7022;

/**
 * The mode to make a new file with; null: it is for its owner alone until it is whole. Only where it will be ours, so that
 * nobody sees it sooner who would not see it later; never with bits that let others write or run as somebody else.
 */
export function modeToCreate(metadata: ItemMetadata, owners: OwnerNames): number | null {
  if (metadata.xattrs || (metadata.mode & NO_BITS) !== 0) return null;
  const isOurs = !isRoot || (uidOf(metadata, owners) === ownUid && gidOf(metadata, owners) === ownGid);
  return isOurs ? metadata.mode & 0o777 : null;
}

/**
 * Whether the file just made in the folder the chain stands in has the mode that was asked for, and is ours: the mask, the
 * folder or the file system may have a say. Asked once per mode and folder.
 */
export function isMadeRight(descriptor: number, mode: number, chain: FolderChain): boolean {
  const known = chain.creations;
  let isRight = known.get(mode);
  if (isRight === undefined) {
    const stats = fstatSync(descriptor);
    isRight = (stats.mode & 0o7777) === mode && (!isRoot || (stats.uid === ownUid && stats.gid === ownGid));
    known.set(mode, isRight);
  }
  return isRight;
}
