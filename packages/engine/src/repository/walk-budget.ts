/**
 * Keeps a walk through a snapshot from going on for ever. Forty trees of which each names the next one twice stand for a
 * million million folders; whoever may write into a repository can store that in a few kilobytes.
 */
import { AppError } from '@backupx/contracts/errors';
import { BitSet } from './bit-set.ts';

/**
 * A path longer than any system has: 32,767 characters of three bytes on Windows, 4096 bytes of four characters each,
 * when they are escaped, on Linux.
 */
export const MAX_PATH_LENGTH = 100_000;

/** Work of entering a folder, as bytes. */
const FOLDER_BYTES = 512;
const FREE_BYTES = 16 * 1024 * 1024;
/** Equal folders are stored once, but in real snapshots few are equal: the most where a file server shows its own snapshots. */
const MAX_REPETITION = 1024;
const SHOWN_PATH_LENGTH = 200;

/** For one walk. */
export class WalkBudget {
  readonly #seen = new BitSet(0);
  /** Bytes of all trees that were read, and of those among them that were read for the first time. */
  #all = 0;
  #first = 0;

  /** A folder is entered: number and bytes of its tree. Throws SNAPSHOT_ENDLESS. */
  enter(tree: number, sizeBytes: number, path: () => string): void {
    const cost = sizeBytes + FOLDER_BYTES;
    this.#all += cost;
    if (tree >= 0 && this.#seen.add(tree)) this.#first += cost;
    if (this.#all <= FREE_BYTES + MAX_REPETITION * this.#first) return;
    throw new AppError('SNAPSHOT_ENDLESS', { path: shownPath(path()) });
  }
}

/** A path as an error may show it. */
export function shownPath(path: string): string {
  return path.length <= SHOWN_PATH_LENGTH ? path : `${path.slice(0, SHOWN_PATH_LENGTH)}…`;
}
