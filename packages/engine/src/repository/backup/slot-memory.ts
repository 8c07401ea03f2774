/**
 * The memory that the threads of a backup share: the chunker's WebAssembly memory, cut into slots. The reading thread
 * fills a slot with new blobs, a sealing thread compresses and seals each of them where it lies, the writing thread
 * copies them into packs and gives the slot back. So content is copied once, and memory is bounded by the slot count.
 */

/** Longest chunk plus what sealing adds; a slot takes at least one blob of any chunk length. */
export const SLOT_BYTES = 8 * 1024 * 1024 + 256 * 1024;

/** Numbers per blob of a filled slot: offset in the memory, length, type (1: tree). */
export const BLOB_ROW = 3;

/** Bytes left free before a blob: its IV, so that content which cannot be compressed is sealed over itself. */
export const BLOB_LEAD = 16;

/** Bytes left free behind a blob: its tag, what zstd adds to content that it cannot shrink, the lead of the next. */
export function gapAfter(length: number): number {
  return 128 + (length >> 7);
}

/** Longest blob that fits a slot together with its gap. */
export const MAX_SLOT_BLOB = SLOT_BYTES - gapAfter(SLOT_BYTES) - BLOB_LEAD;

/** The memory of parts, to give it to another thread together with them; what shares it with others is copied. */
export function buffersOf(parts: readonly Uint8Array[]): ArrayBuffer[] {
  return parts.flatMap(({ buffer, byteLength }) =>
    buffer instanceof ArrayBuffer && buffer.byteLength === byteLength ? [buffer] : [],
  );
}

/** Words of the control array. */
const ABORT = 0;
const FREED = 1;
const ANSWERED = 2;
const FIRST_SLOT = 3;

/** Who owns which slot, in shared memory, so that the reading thread can wait without an event loop. */
export class SlotControl {
  readonly #words: Int32Array;

  /** Without an array: a new one, for so many slots. */
  constructor(slots: number | Int32Array) {
    this.#words = typeof slots === 'number' ? new Int32Array(new SharedArrayBuffer((FIRST_SLOT + slots) * 4)) : slots;
  }

  get shared(): Int32Array {
    return this.#words;
  }

  get slotCount(): number {
    return this.#words.length - FIRST_SLOT;
  }

  get isAborted(): boolean {
    return Atomics.load(this.#words, ABORT) !== 0;
  }

  abort(): void {
    Atomics.store(this.#words, ABORT, 1);
    for (const word of [FREED, ANSWERED]) {
      Atomics.add(this.#words, word, 1);
      Atomics.notify(this.#words, word);
    }
  }

  /** A free slot, now taken; -1 when there is none. */
  take(): number {
    for (let slot = 0; slot < this.slotCount; slot += 1) {
      if (Atomics.compareExchange(this.#words, FIRST_SLOT + slot, 0, 1) === 0) return slot;
    }
    return -1;
  }

  /** Takes a slot, waiting for one if need be; -1 when the backup was aborted. Blocks the thread. */
  takeOrWait(): number {
    while (!this.isAborted) {
      const seen = Atomics.load(this.#words, FREED);
      const slot = this.take();
      if (slot >= 0) return slot;
      Atomics.wait(this.#words, FREED, seen);
    }
    return -1;
  }

  free(slot: number): void {
    Atomics.store(this.#words, FIRST_SLOT + slot, 0);
    Atomics.add(this.#words, FREED, 1);
    Atomics.notify(this.#words, FREED);
  }

  /** Call before asking: the number to hand to `waitForAnswer`. */
  get answers(): number {
    return Atomics.load(this.#words, ANSWERED);
  }

  /** Blocks the thread until something was answered since `seen`. */
  waitForAnswer(seen: number): void {
    if (!this.isAborted) Atomics.wait(this.#words, ANSWERED, seen);
  }

  announceAnswer(): void {
    Atomics.add(this.#words, ANSWERED, 1);
    Atomics.notify(this.#words, ANSWERED);
  }
}
