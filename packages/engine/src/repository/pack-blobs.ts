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

  /** As objects, made anew at every call. */
  get entries(): PackEntry[] {
    return Array.from({ length: this.#count }, (_, blob) => {
      const [offset = 0, storedLength = 0, plainLength = 0] = this.#numbers.subarray(blob * NUMBERS);
      const id = this.#ids.subarray(blob * ID_BYTES, (blob + 1) * ID_BYTES);
      return { type: this.type, id, offset, storedLength, plainLength };
    });
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
