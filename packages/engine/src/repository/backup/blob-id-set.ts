import { hashOfId } from '../blob-index.ts';

/**
 * Bytes of an id that are kept. Half of a SHA-256: that two of a billion blobs share it is less likely than 10⁻²⁰, and
 * to make a pair on purpose takes 2⁶⁴ attempts, for nothing but a broken backup of one's own.
 */
const KEPT_BYTES = 16;
const SEGMENT_BITS = 14;
const SEGMENT_MASK = (1 << SEGMENT_BITS) - 1;

/** Ids that this run has met, in typed arrays: under 28 bytes each, grown piece by piece. */
export class BlobIdSet {
  #table = new Uint32Array(1 << 12);
  readonly #segments: Uint8Array[] = [];
  #count = 0;

  get size(): number {
    return this.#count;
  }

  /** True when the id is new; it is known from then on. */
  add(id: Uint8Array): boolean {
    const mask = this.#table.length - 1;
    let slot = hashOfId(id) & mask;
    for (let entry = this.#table[slot] ?? 0; entry !== 0; entry = this.#table[slot] ?? 0) {
      if (this.#is(entry - 1, id)) return false;
      slot = (slot + 1) & mask;
    }
    this.#append(id);
    this.#table[slot] = this.#count;
    if (this.#count > this.#table.length * 0.75) this.#growTable();
    return true;
  }

  #append(id: Uint8Array): void {
    const slot = this.#count & SEGMENT_MASK;
    if (slot === 0) this.#segments.push(new Uint8Array((SEGMENT_MASK + 1) * KEPT_BYTES));
    const segment = this.#segments[this.#count >> SEGMENT_BITS];
    if (segment)
      for (let index = 0; index < KEPT_BYTES; index += 1) segment[slot * KEPT_BYTES + index] = id[index] ?? 0;
    this.#count += 1;
  }

  #is(entry: number, id: Uint8Array): boolean {
    const segment = this.#segments[entry >> SEGMENT_BITS];
    const at = (entry & SEGMENT_MASK) * KEPT_BYTES;
    for (let index = 0; index < KEPT_BYTES; index += 1) if (segment?.[at + index] !== id[index]) return false;
    return true;
  }

  #growTable(): void {
    const table = new Uint32Array(this.#table.length * 2);
    const mask = table.length - 1;
    for (let entry = 0; entry < this.#count; entry += 1) {
      const at = (entry & SEGMENT_MASK) * KEPT_BYTES;
      const segment = this.#segments[entry >> SEGMENT_BITS];
      let slot = hashOfId(segment?.subarray(at, at + 4) ?? new Uint8Array(0)) & mask;
      while (table[slot] !== 0) slot = (slot + 1) & mask;
      table[slot] = entry + 1;
    }
    this.#table = table;
  }
}
