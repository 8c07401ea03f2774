import { spawnSync } from 'node:child_process';
import {
  closeSync,
  constants,
  ftruncateSync,
  linkSync,
  lstatSync,
  openSync,
  symlinkSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import type { DataSegment, RestoreEntry } from '../../ports/source.ts';
import { applyToDescriptor, applyToPath } from './apply-metadata.ts';
import { toBytes, toPath } from './byte-paths.ts';
import { errnoOf, isMissing } from './errno.ts';
import type { OwnerNames } from './owner-names.ts';

/** The item cannot be made on this machine, or not by this user. */
export class UnsupportedItemError extends Error {}

const CREATE_FLAGS = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
const MAKE_NODE_TIMEOUT_MS = 10_000;

export interface NewItem {
  /** Where to make it: a name that only this restore uses (byte path, ASCII where there is /proc). */
  readonly path: string;
  readonly entry: RestoreEntry;
  readonly owners: OwnerNames;
  /** Existing file for a hard link. */
  readonly linkSource: string | Buffer | null;
  onBytes(count: number): void;
}

/** What the making of an item came to: sentences about metadata that did not take. */
export type MetadataFailures = readonly string[];

/**
 * Makes a file from its content, with all metadata. Errors of the content pass through unchanged; those of the file
 * system are thrown only after the content was read to its end, so that the next entry can be read.
 */
export async function writeFile(
  item: NewItem,
  content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): Promise<MetadataFailures> {
  let descriptor: number | null = null;
  let failure: unknown = null;
  const attempt = (step: () => void) => {
    if (failure !== null) return;
    try {
      step();
    } catch (error) {
      failure = error;
    }
  };
  attempt(() => {
    descriptor = createExclusively(item.path);
  });
  try {
    const positions = new Positions(item.entry.segments);
    for await (const chunk of content) {
      attempt(() => {
        if (descriptor !== null) writeChunk(descriptor, chunk, positions);
      });
      item.onBytes(chunk.byteLength);
    }
    const failures: string[] = [];
    attempt(() => {
      if (descriptor === null) return;
      if (item.entry.segments !== null) ftruncateSync(descriptor, item.entry.sizeBytes);
      failures.push(...applyToDescriptor({ descriptor, path: item.path }, item.entry, item.owners));
    });
    if (failure !== null) throw failure;
    return failures;
  } finally {
    if (descriptor !== null) closeSync(descriptor);
  }
}

/** Makes a link, FIFO or device, with its metadata. */
export function makeSpecial(item: NewItem): MetadataFailures {
  const { entry, owners } = item;
  const path = toBytes(item.path);
  removeIfThere(path);
  if (entry.type === 'hardlink') {
    if (item.linkSource === null) throw new UnsupportedItemError('its first name was not restored');
    linkSync(item.linkSource, path);
    return [];
  }
  if (entry.type === 'symlink') {
    symlinkSync(Buffer.from(entry.linkTarget ?? []), path);
    return applyToPath({ path: item.path, isLink: true }, entry, owners);
  }
  makeNode(item.path, entry);
  return applyToPath({ path: item.path, isLink: false }, entry, owners);
}

function makeNode(path: string, entry: RestoreEntry): void {
  const isFifo = entry.type === 'fifo';
  if (!isFifo && process.getuid?.() !== 0) throw new UnsupportedItemError('only root can make device files');
  const program = isFifo ? 'mkfifo' : 'mknod';
  const kind = entry.type === 'char_device' ? 'c' : 'b';
  const numbers = isFifo ? [] : [kind, String(entry.deviceMajor), String(entry.deviceMinor)];
  const run = spawnSync(program, ['-m', '600', '--', path, ...numbers], {
    timeout: MAKE_NODE_TIMEOUT_MS,
    stdio: ['ignore', 'ignore', 'pipe'],
    encoding: 'utf8',
  });
  if (errnoOf(run.error) === 'ENOENT') throw new UnsupportedItemError(`the program ${program} is not installed`);
  if (run.error) throw run.error;
  if (run.status !== 0) throw new UnsupportedItemError(`${program} failed: ${run.stderr.trim()}`);
}

/** Makes a new file that only its owner may open, in place of one of that name. Throws system errors. */
export function createExclusively(path: string): number {
  try {
    return openSync(toPath(path), CREATE_FLAGS, 0o600);
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
    unlinkSync(toPath(path));
    return openSync(toPath(path), CREATE_FLAGS, 0o600);
  }
}

export function removeIfThere(path: string | Buffer): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}

/** Null when there is nothing. Asked for every item, mostly in vain: an exception each would cost more than the rest. */
export function lstatIfThere(path: string | Buffer) {
  return lstatSync(path, { bigint: true, throwIfNoEntry: false }) ?? null;
}

/** Turns the continuous data of a sparse file into file positions. */
class Positions {
  readonly #segments: readonly DataSegment[] | null;
  #index = 0;
  #done = 0;

  constructor(segments: readonly DataSegment[] | null) {
    this.#segments = segments;
  }

  /** Position of the next byte and how many bytes may follow it there. */
  next(): { position: number; room: number } {
    if (this.#segments === null) return { position: this.#done, room: Number.POSITIVE_INFINITY };
    for (;;) {
      const segment = this.#segments[this.#index];
      if (!segment) throw new Error('more data than the map of the sparse file announces');
      if (this.#done < segment.length) {
        return { position: segment.offset + this.#done, room: segment.length - this.#done };
      }
      this.#index += 1;
      this.#done = 0;
    }
  }

  advance(count: number): void {
    this.#done += count;
  }
}

function writeChunk(descriptor: number, chunk: Uint8Array, positions: Positions): void {
  for (let at = 0; at < chunk.byteLength; ) {
    const { position, room } = positions.next();
    const written = writeSync(descriptor, chunk, at, Math.min(room, chunk.byteLength - at), position);
    positions.advance(written);
    at += written;
  }
}
