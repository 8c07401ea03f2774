/**
 * The blocks a tar writer fills in place. Full blocks wait in `ready` until the writer yields them; a new block is
 * taken only when there is something to put into it, so a small pool of recycled blocks is enough.
 */
import { RECORD_BYTES } from './tar-format.ts';

/** A position to go back to while its block has not been completed. */
export interface Mark {
  readonly completed: number;
  readonly used: number;
}

export class BlockQueue {
  /** Completed blocks in order; whoever drives the writer shifts them out. */
  readonly ready: Uint8Array[] = [];
  /** Valid after `room`: write at `used`, then `advance`. */
  block: Buffer = Buffer.alloc(0);
  used = 0;
  readonly #blockSize: number;
  readonly #allocate: () => Uint8Array;
  #completed = 0;

  /** `blockSize` is a multiple of 512; `allocate` hands out memory of exactly that size. */
  constructor(blockSize: number, allocate: (() => Uint8Array) | undefined) {
    this.#blockSize = blockSize;
    this.#allocate = allocate ?? (() => Buffer.allocUnsafeSlow(blockSize));
  }

  /** Bytes that may be written at `used` now: at least 1, at most `wanted`. */
  room(wanted: number): number {
    if (this.block.byteLength === 0) {
      const memory = this.#allocate();
      if (memory.byteLength !== this.#blockSize) throw new RangeError('the block has the wrong size');
      this.block = Buffer.from(memory.buffer, memory.byteOffset, memory.byteLength);
      this.used = 0;
    }
    const left = this.#blockSize - this.used;
    return wanted < left ? wanted : left;
  }

  advance(count: number): void {
    this.used += count;
    if (this.used === this.#blockSize) this.#complete();
  }

  /** Space for one record (records never straddle blocks); answers where it starts. Call `advance` when it is filled. */
  record(): number {
    this.room(RECORD_BYTES);
    return this.used;
  }

  write(bytes: Uint8Array): void {
    let done = 0;
    while (done < bytes.byteLength) {
      const count = this.room(bytes.byteLength - done);
      this.block.set(count === bytes.byteLength ? bytes : bytes.subarray(done, done + count), this.used);
      this.advance(count);
      done += count;
    }
  }

  /** Writes at most up to the end of the current block; answers how many zeros it wrote. */
  writeSomeZeros(count: number): number {
    const now = this.room(count);
    // Padding is a few hundred bytes: the checks of Buffer's own `fill` would cost more than the filling.
    Uint8Array.prototype.fill.call(this.block, 0, this.used, this.used + now);
    this.advance(now);
    return now;
  }

  mark(): Mark {
    return { completed: this.#completed, used: this.used };
  }

  /** Takes back what was written since `mark`; false when a part of it is in a completed block. */
  rewind(mark: Mark): boolean {
    if (mark.completed !== this.#completed) return false;
    this.used = mark.used;
    return true;
  }

  /** Completes the last, shorter block. */
  finish(): void {
    if (this.used > 0 && this.block.byteLength > 0) this.#complete();
  }

  #complete(): void {
    this.ready.push(this.used === this.#blockSize ? this.block : this.block.subarray(0, this.used));
    this.block = Buffer.alloc(0);
    this.used = 0;
    this.#completed += 1;
  }
}
