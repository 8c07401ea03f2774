import type { BlobType } from './blob-index.ts';
import { ID_BYTES } from './format/blob-id.ts';
import type { PackEntry } from './format/pack-header.ts';

const FIRST_BLOBS = 64;
/** Numbers per blob: offset, sealed length, plain length. */
const NUMBERS = 3;

/** The blobs of a pack that is being made, in 44 bytes each: there are many until an index names them. */
export class PackBlobs {
  readonly type: BlobType;
  #count = 0;
  #ids = new Uint8Array(FIRST_BLOBS * ID_BYTES);
  #numbers = new Uint32Array(FIRST_BLOBS * NUMBERS);

  constructor(type: BlobType) {
    this.type = type;
  }

  get count(): number {
    return this.#count;
  }

  add({ id, offset, storedLength, plainLength }: Omit<PackEntry, 'type'>): void {
    if ((this.#count + 1) * ID_BYTES > this.#ids.byteLength) this.#grow();
    this.#ids.set(id.subarray(0, ID_BYTES), this.#count * ID_BYTES);
    this.#numbers.set([offset, storedLength, plainLength], this.#count * NUMBERS);
    this.#count += 1;
  }

  /** In the order of adding. The object and its id are used again for the next: a pack may have 50,000. */
  *[Symbol.iterator](): Generator<PackEntry> {
    const id = new Uint8Array(ID_BYTES);
    const entry = { type: this.type, id, offset: 0, storedLength: 0, plainLength: 0 };
    const ids = this.#ids;
    const numbers = this.#numbers;
    for (let blob = 0; blob < this.#count; blob += 1) {
      for (let at = 0; at < ID_BYTES; at += 1) id[at] = ids[blob * ID_BYTES + at] ?? 0;
      entry.offset = numbers[blob * NUMBERS] ?? 0;
      entry.storedLength = numbers[blob * NUMBERS + 1] ?? 0;
      entry.plainLength = numbers[blob * NUMBERS + 2] ?? 0;
      yield entry;
    }
  }

  /** The same as objects of their own. */
  toEntries(): PackEntry[] {
    return Array.from(this, (entry) => ({ ...entry, id: Uint8Array.from(entry.id) }));
  }

  #grow(): void {
    const ids = new Uint8Array(this.#ids.byteLength * 2);
    ids.set(this.#ids);
    this.#ids = ids;
    const numbers = new Uint32Array(this.#numbers.length * 2);
    numbers.set(this.#numbers);
    this.#numbers = numbers;
  }
}
