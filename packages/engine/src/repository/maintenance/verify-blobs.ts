/** Opens and verifies the blobs in parts of packs: in this thread, or in several where there is much to do. */

import type { BlobIndex } from '../blob-index.ts';
import { openBlob } from '../blob-reader.ts';
import { ID_BYTES } from '../format/blob-id.ts';
import type { SealedBox } from '../format/sealed-box.ts';
import { verifyOpened } from '../large-tree.ts';
import type { Repository } from '../open-repository.ts';
import { DECODE_ROW } from '../restore/decode-blobs.ts';
import { createThreadDecoder, type DecodePool } from '../restore/decode-pool.ts';
import { type Slot, SlotPool } from '../restore/slot-pool.ts';

/** Memory for a part of a pack, from the beginning of reading it until all in it is verified. */
export interface PartRoom {
  /** As many bytes as were asked for, with anything in them. */
  readonly bytes: Uint8Array;
  /** Null: too many for any slot; this room has memory of its own. */
  readonly slot: Slot | null;
}

/** Bytes of a pack and the entries that lie in them. */
export interface BlobsToVerify {
  /** Offset of the first byte in the pack. */
  readonly start: number;
  /** The beginning of the room; shorter than it should be when the pack ends early. */
  readonly bytes: Uint8Array;
  readonly entries: readonly number[];
  readonly room: PartRoom;
}

/** Rooms are given in the order in which they were asked for. */
export interface BlobVerifier {
  /** Waits until there is room for so many bytes. */
  takeRoom(sizeBytes: number): Promise<PartRoom>;
  /** Nothing may use it any more. */
  giveRoom(room: PartRoom): void;
  /** Answers the entries that are damaged. */
  verify(part: BlobsToVerify): Promise<number[]>;
  close(): Promise<void>;
}

export interface VerifierOptions {
  readonly repository: Pick<Repository, 'box' | 'masterKey'>;
  readonly index: BlobIndex;
  /** At least 1. */
  readonly threads: number;
}

/** In this thread. */
export function createLocalVerifier({ repository, index }: VerifierOptions): BlobVerifier {
  const rooms = new Rooms(PARTS_AHEAD);
  return {
    takeRoom: (sizeBytes) => rooms.take(sizeBytes),
    giveRoom: (room) => rooms.give(room),
    async verify(part) {
      const bad: number[] = [];
      for (const entry of part.entries)
        if (!(await isWholeBlob(repository.box, index, { part, entry }))) bad.push(entry);
      return bad;
    },
    async close() {},
  };
}

/** In threads of their own. */
export function createThreadVerifier(options: VerifierOptions): BlobVerifier {
  return new ThreadVerifier(options);
}

/** The largest part that is read into shared memory; larger ones are verified in this thread. */
export const MAX_SLOT_PART_BYTES = 8 * 1024 * 1024 + 256 * 1024;
/** Room for the content of one blob at a time. */
const PLAIN_BYTES = 8 * 1024 * 1024 + 4096;
/**
 * What is to be decoded is said in the slot too: sent along, it would be megabytes to collect for each part of small files.
 * Few at once, so that the threads have done with the garbage of one lot before it counts as old: tens of MB.
 */
const BLOBS_AT_ONCE = 512;
const ROWS_BYTES = BLOBS_AT_ONCE * DECODE_ROW * Uint32Array.BYTES_PER_ELEMENT;
/** Where things lie in a slot behind the sealed bytes. */
const PLAIN_AT = MAX_SLOT_PART_BYTES;
const ROWS_AT = PLAIN_AT + PLAIN_BYTES;
const IDS_AT = ROWS_AT + ROWS_BYTES;
const SLOT_BYTES = IDS_AT + BLOBS_AT_ONCE * ID_BYTES;
/**
 * Parts that may be read at once, ahead of verifying: there is room for all of them, so that whoever reads ahead comes to
 * an end also when nobody takes the others any more.
 */
export const PARTS_AHEAD = 3;

/** Memory in slots; only what is touched takes up memory. */
class Rooms {
  readonly memory: SharedArrayBuffer;
  readonly #slots: SlotPool;

  constructor(count: number) {
    this.memory = new SharedArrayBuffer(count * SLOT_BYTES);
    this.#slots = new SlotPool(this.memory, 0, { count, slotBytes: SLOT_BYTES });
  }

  async take(sizeBytes: number): Promise<PartRoom> {
    if (sizeBytes > MAX_SLOT_PART_BYTES) return { bytes: Buffer.allocUnsafeSlow(sizeBytes), slot: null };
    const slot = await this.#slots.take();
    return { bytes: slot.bytes.subarray(0, sizeBytes), slot };
  }

  give({ slot }: PartRoom): void {
    if (slot) this.#slots.give(slot);
  }
}

async function isWholeBlob(
  box: SealedBox,
  index: BlobIndex,
  { part, entry }: { readonly part: BlobsToVerify; readonly entry: number },
): Promise<boolean> {
  const at = index.offsetOf(entry) - part.start;
  const sealed = part.bytes.subarray(Math.max(0, at), Math.max(0, at + index.storedLengthOf(entry)));
  if (at < 0 || sealed.byteLength !== index.storedLengthOf(entry)) return false;
  const blob = { id: index.idOf(entry), sealed, plainLength: index.plainLengthOf(entry) };
  try {
    // The list of a huge folder would not fit into memory as a whole.
    if (blob.plainLength > PLAIN_BYTES) await verifyOpened(box.open(sealed), blob);
    else openBlob(box, blob);
    return true;
  } catch {
    return false;
  }
}

class ThreadVerifier implements BlobVerifier {
  readonly #options: VerifierOptions;
  readonly #rooms: Rooms;
  readonly #decoder: DecodePool;

  constructor(options: VerifierOptions) {
    const { repository, threads } = options;
    this.#options = options;
    this.#rooms = new Rooms(threads + PARTS_AHEAD - 1);
    this.#decoder = createThreadDecoder({ masterKey: repository.masterKey, memory: this.#rooms.memory }, threads);
  }

  takeRoom(sizeBytes: number): Promise<PartRoom> {
    return this.#rooms.take(sizeBytes);
  }

  giveRoom(room: PartRoom): void {
    this.#rooms.give(room);
  }

  async verify(part: BlobsToVerify): Promise<number[]> {
    const { index, repository } = this.#options;
    const { slot } = part.room;
    const small: number[] = [];
    const odd: number[] = [];
    for (const entry of part.entries) (slot && this.#fits(part, entry) ? small : odd).push(entry);
    // The threads first: they work beside this one.
    const decoding = slot ? this.#decode(part.start, small, slot.offset) : Promise.resolve([]);
    decoding.catch(() => {});
    const bad: number[] = [];
    // What finds no room in a slot: lists of huge folders, and whatever is not as it should be.
    for (const entry of odd) if (!(await isWholeBlob(repository.box, index, { part, entry }))) bad.push(entry);
    return bad.concat(await decoding);
  }

  /** Answers the damaged ones. */
  async #decode(start: number, entries: readonly number[], slotAt: number): Promise<number[]> {
    const bad: number[] = [];
    for (let at = 0; at < entries.length; at += BLOBS_AT_ONCE) {
      const some = entries.slice(at, at + BLOBS_AT_ONCE);
      const isGood = await this.#decoder.decode(this.#taskOf(start, some, slotAt));
      for (const [number, entry] of some.entries()) if (isGood[number] !== 1) bad.push(entry);
    }
    return bad;
  }

  async close(): Promise<void> {
    await this.#decoder.close();
  }

  #fits({ start, bytes }: BlobsToVerify, entry: number): boolean {
    const { index } = this.#options;
    const at = index.offsetOf(entry) - start;
    const isInside = at >= 0 && at + index.storedLengthOf(entry) <= bytes.byteLength;
    return isInside && index.plainSizeOf(entry) >= 0 && index.plainSizeOf(entry) <= PLAIN_BYTES;
  }

  #taskOf(start: number, entries: readonly number[], slotAt: number) {
    const { index } = this.#options;
    const { memory } = this.#rooms;
    const rows = new Uint32Array(memory, slotAt + ROWS_AT, entries.length * DECODE_ROW);
    const ids = new Uint8Array(memory, slotAt + IDS_AT, entries.length * ID_BYTES);
    let [row, idAt] = [0, 0];
    for (const entry of entries) {
      rows[row] = slotAt + index.offsetOf(entry) - start;
      rows[row + 1] = index.storedLengthOf(entry);
      rows[row + 2] = index.plainLengthOf(entry);
      rows[row + 3] = slotAt + PLAIN_AT;
      ids.set(index.idOf(entry), idAt);
      row += DECODE_ROW;
      idAt += ID_BYTES;
    }
    return { rows, ids };
  }
}
