import { hashOfId, isIdAt } from '../blob-index.ts';
import { ID_BYTES } from '../format/blob-id.ts';

const FIRST_ENTRIES = 1 << 12;

/** Ids that this run has met, in typed arrays: 40 to 50 bytes each. */
export class BlobIdSet {
  #table = new Uint32Array(FIRST_ENTRIES * 2);
  #ids = new Uint8Array(FIRST_ENTRIES * ID_BYTES);
  #count = 0;

  get size(): number {
    return this.#count;
  }

  /** True when the id is new; it is known from then on. */
  add(id: Uint8Array): boolean {
    const mask = this.#table.length - 1;
    let slot = hashOfId(id) & mask;
    for (; this.#table[slot] !== 0; slot = (slot + 1) & mask) {
      if (isIdAt(this.#ids, ((this.#table[slot] ?? 0) - 1) * ID_BYTES, id)) return false;
    }
    if ((this.#count + 1) * ID_BYTES > this.#ids.byteLength) this.#growIds();
    this.#ids.set(id, this.#count * ID_BYTES);
    this.#count += 1;
    this.#table[slot] = this.#count;
    if (this.#count > this.#table.length * 0.7) this.#growTable();
    return true;
  }

  #growIds(): void {
    const larger = new Uint8Array(Math.ceil((this.#ids.byteLength * 1.5) / ID_BYTES) * ID_BYTES);
    larger.set(this.#ids);
    this.#ids = larger;
  }

  #growTable(): void {
    const table = new Uint32Array(this.#table.length * 2);
    const mask = table.length - 1;
    for (let entry = 0; entry < this.#count; entry += 1) {
      let slot = hashOfId(this.#ids.subarray(entry * ID_BYTES, entry * ID_BYTES + 4)) & mask;
      while (table[slot] !== 0) slot = (slot + 1) & mask;
      table[slot] = entry + 1;
    }
    this.#table = table;
  }
}
