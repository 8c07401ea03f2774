import { UnsupportedItemError } from './write-item.ts';

const FIRST_BYTES = 64 * 1024;

/** Gathers the content of one small file after the other, always in the same memory. */
export class SmallContent {
  #bytes: Uint8Array = new Uint8Array(0);

  /** All of it, valid until the next call. Throws what `content` throws, and when it is longer than was said. */
  async read(content: AsyncIterable<Uint8Array>, sizeBytes: number): Promise<Uint8Array> {
    if (this.#bytes.byteLength < sizeBytes) this.#bytes = new Uint8Array(Math.max(FIRST_BYTES, 2 * sizeBytes));
    let length = 0;
    for await (const chunk of content) {
      if (length + chunk.byteLength > sizeBytes) throw new UnsupportedItemError('it is longer than it says');
      this.#bytes.set(chunk, length);
      length += chunk.byteLength;
    }
    return this.#bytes.subarray(0, length);
  }
}
