import { type BigIntStats, closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import type { SyncContent } from '../../ports/source.ts';
import { type BytePath, toBytes } from './byte-paths.ts';
import { errnoOf } from './errno.ts';
import { findSegments } from './find-segments.ts';

/** Missing blocks below this are not worth a second reading of the file. */
const WORTHWHILE_HOLE_BYTES = 32_768n;
/** O_NONBLOCK: a FIFO put in the file's place meanwhile must not hang the run. */
const OPEN_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const NO_ATIME = constants.O_NOATIME ?? 0;

/** Thrown when the path is no longer the regular file that was listed. */
export class ReplacedError extends Error {}

export interface ContentOptions {
  /** False: data stretches of a sparse file are not looked for, which saves reading it twice. */
  readonly wantsSegments: boolean;
  /** Called at close when the content was changed while it was read. */
  onChanged(): void;
}

/** Opens a regular file for reading. Throws system errors, `ReplacedError` when something else took its place. */
export function openContent(path: BytePath, listed: BigIntStats, options: ContentOptions): SyncContent {
  const descriptor = openFile(path);
  try {
    const stats = fstatSync(descriptor, { bigint: true });
    if (!stats.isFile() || stats.ino !== listed.ino || stats.dev !== listed.dev) throw new ReplacedError();
    return fileContent(descriptor, stats, options);
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}

function openFile(path: BytePath): number {
  try {
    return openSync(toBytes(path), OPEN_FLAGS | NO_ATIME);
  } catch (error) {
    // Only the owner may keep the access time still.
    if (errnoOf(error) !== 'EPERM' || NO_ATIME === 0) throw error;
    return openSync(toBytes(path), OPEN_FLAGS);
  }
}

function fileContent(descriptor: number, stats: BigIntStats, options: ContentOptions): SyncContent {
  const sizeBytes = Number(stats.size);
  let isOpen = true;
  return {
    kind: 'sync',
    sizeBytes,
    segments:
      options.wantsSegments && isSparse(stats)
        ? findSegments((target, position) => readSync(descriptor, target, 0, target.byteLength, position), sizeBytes)
        : null,
    read: (target, offset, length, position) => readSync(descriptor, target, offset, length, position),
    close() {
      if (!isOpen) return;
      isOpen = false;
      try {
        const after = fstatSync(descriptor, { bigint: true });
        const isSame = after.size === stats.size && after.mtimeNs === stats.mtimeNs && after.ctimeNs === stats.ctimeNs;
        if (!isSame) options.onChanged();
      } finally {
        closeSync(descriptor);
      }
    },
  };
}

function isSparse(stats: BigIntStats): boolean {
  return stats.size - stats.blocks * 512n >= WORTHWHILE_HOLE_BYTES;
}
