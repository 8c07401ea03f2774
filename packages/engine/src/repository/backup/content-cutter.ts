import { hashOf } from '../format/blob-id.ts';
import { hashOfParts, lengthOfParts, passingPieces, type TreePart } from '../tree-part.ts';
import { type Chunker, MAX_CHUNK, MIN_CHUNK } from '../wasm/chunker.ts';
import { BLOB_LEAD, gapAfter, MAX_SLOT_BLOB, SLOT_BYTES } from './slot-memory.ts';

/** A file that begins when less than this is left of a slot gets a fresh one, so that little is moved. */
const USEFUL_ROOM = 512 * 1024;
/** A slot that holds so much is sent on as soon as no chunk is open: of small files little memory is ever touched. */
const ENOUGH_BYTES = 2 * 1024 * 1024;

export interface CutterOptions {
  readonly chunker: Chunker;
  /** Where slot `number` begins in the chunker's memory. */
  slotStart(number: number): number;
  /** Number of a free slot; blocks until there is one. Throws when the backup was aborted. */
  takeSlot(): number;
  /** True when the blob must be stored; then it is known from now on. */
  isNew(id: Uint8Array, isTree: boolean): boolean;
  sendSlot(slot: number, rows: Uint32Array, ids: Uint8Array): void;
  /** The parts may be given away. */
  sendLarge(id: Uint8Array, parts: readonly TreePart[]): void;
}

/**
 * Cuts contents into chunks inside the slots. Read into `room`, say `filled`, at the end of the content `end`; chunks
 * that are known already leave no trace in the slot. Trees go the same way, whole, with `addTree`.
 */
export class ContentCutter {
  readonly #options: CutterOptions;
  readonly #memory: Uint8Array;
  #slot = -1;
  #slotEnd = 0;
  /** Where the open chunk begins. */
  #start = 0;
  #have = 0;
  #scanned = 0;
  #rows: number[] = [];
  #ids: Buffer[] = [];
  #content: Buffer[] = [];

  constructor(options: CutterOptions) {
    this.#options = options;
    this.#memory = options.chunker.memory;
  }

  /** Where the next bytes of the content go, at most so many; at least one byte. */
  room(wanted: number): Uint8Array {
    if (this.#slot < 0) this.#enterSlot();
    else if (this.#have === 0 && this.#left() < Math.min(wanted, USEFUL_ROOM)) this.#nextSlot();
    if (this.#left() <= 0) this.#nextSlot();
    const at = this.#start + this.#have;
    return this.#memory.subarray(at, at + Math.min(wanted, this.#left()));
  }

  /** So many bytes were put into `room`. */
  filled(count: number): void {
    this.#have += count;
    while (this.#have >= MIN_CHUNK) {
      const length = this.#options.chunker.findCut(this.#start, this.#have, this.#scanned);
      if (length === 0) {
        this.#scanned = this.#have;
        return;
      }
      this.#endChunk(length);
    }
  }

  /** Ends the content; answers the ids of its chunks. */
  end(): Buffer[] {
    if (this.#have > 0) this.#endChunk(this.#have);
    const content = this.#content;
    this.#content = [];
    return content;
  }

  /** Forgets what was read of the content that is open. */
  discard(): void {
    this.#have = 0;
    this.#scanned = 0;
    this.#content = [];
  }

  /** Stores a tree, given in parts, unless it is known; answers its id. Only between two contents. */
  addTree(parts: readonly TreePart[]): Buffer {
    const id = hashOfParts(parts);
    if (!this.#options.isNew(id, true)) return id;
    const length = lengthOfParts(parts);
    if (length > MAX_SLOT_BLOB) {
      this.#options.sendLarge(id, parts);
      return id;
    }
    if (this.#slot < 0) this.#enterSlot();
    if (this.#left() < length) this.#nextSlot();
    let at = this.#start;
    for (const piece of passingPieces(parts)) {
      this.#memory.set(piece, at);
      at += piece.byteLength;
    }
    this.#keep(id, length, true);
    this.#sendIfEnough();
    return id;
  }

  /** Sends what is in the slot. */
  flush(): void {
    if (this.#slot < 0) return;
    this.#options.sendSlot(this.#slot, Uint32Array.from(this.#rows), Buffer.concat(this.#ids));
    this.#rows = [];
    this.#ids = [];
    this.#slot = -1;
  }

  #endChunk(length: number): void {
    const rest = this.#have - length;
    const restAt = this.#start + length;
    const id = hashOf(this.#memory.subarray(this.#start, restAt));
    this.#content.push(id);
    if (this.#options.isNew(id, false)) this.#keep(id, length, false);
    this.#have = 0;
    this.#scanned = 0;
    if (rest === 0) this.#sendIfEnough();
    else if (this.#isEnough || rest > this.#left()) this.#moveToNextSlot(restAt, rest);
    else this.#memory.copyWithin(this.#start, restAt, restAt + rest);
    this.#have = rest;
  }

  #keep(id: Buffer, length: number, isTree: boolean): void {
    this.#rows.push(this.#start, length, isTree ? 1 : 0);
    this.#ids.push(id);
    this.#start += length + gapAfter(length);
  }

  get #isEnough(): boolean {
    return this.#slotEnd - this.#start <= SLOT_BYTES - ENOUGH_BYTES;
  }

  /** Only when no chunk is open. */
  #sendIfEnough(): void {
    if (this.#isEnough) this.flush();
  }

  /** Bytes that the open chunk may still grow by in this slot. */
  #left(): number {
    const room = this.#slotEnd - this.#start;
    return Math.min(MAX_CHUNK, room - gapAfter(room)) - this.#have;
  }

  #enterSlot(): void {
    this.#slot = this.#options.takeSlot();
    const slotStart = this.#options.slotStart(this.#slot);
    this.#start = slotStart + BLOB_LEAD;
    this.#slotEnd = slotStart + SLOT_BYTES;
  }

  #nextSlot(): void {
    this.#moveToNextSlot(this.#start, this.#have);
  }

  /** Goes on in a fresh slot with `length` bytes from `from`; the old slot is given away once they are copied. */
  #moveToNextSlot(from: number, length: number): void {
    const old = { slot: this.#slot, rows: Uint32Array.from(this.#rows), ids: Buffer.concat(this.#ids) };
    this.#rows = [];
    this.#ids = [];
    this.#enterSlot();
    this.#memory.copyWithin(this.#start, from, from + length);
    this.#options.sendSlot(old.slot, old.rows, old.ids);
  }
}
