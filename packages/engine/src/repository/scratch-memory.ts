/**
 * A buffer that is used again and again, for content of a few MB that comes many times: what is got and left each time
 * stays with the process until a collection, and even then in pieces that nothing else fits into.
 */
export class ScratchMemory {
  #memory: Buffer = Buffer.alloc(0);

  /** So many bytes with anything in them. What was handed out before is no longer valid. */
  take(sizeBytes: number): Buffer {
    // A little more than asked for: the next file of its kind is seldom exactly as long.
    if (sizeBytes > this.#memory.byteLength) this.#memory = Buffer.allocUnsafeSlow(sizeBytes + (sizeBytes >>> 3));
    return this.#memory.subarray(0, sizeBytes);
  }

  /** Gives it back now, not at the next collection. What was handed out is empty from then on. */
  free(): void {
    const { buffer } = this.#memory;
    if (buffer instanceof ArrayBuffer && buffer.byteLength > 0) buffer.transfer(0);
    this.#memory = Buffer.alloc(0);
  }
}
