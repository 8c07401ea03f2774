import type { RestoreContent } from '../../ports/source.ts';
import { UnsupportedItemError } from './write-item.ts';

const FIRST_BYTES = 64 * 1024;

/** Gathers the content of one small file after the other, always in the same memory, unless it lies in memory already. */
export class SmallContent {
  #bytes: Uint8Array = new Uint8Array(0);

  /** All of it when it is there without waiting, otherwise null; see `read`. */
  readNow(content: RestoreContent, sizeBytes: number): Uint8Array | null {
    const bytes = content.takeNow?.() ?? null;
    return bytes && fitting(bytes, sizeBytes);
  }

  /** All of it, valid until the next entry is asked for. Throws what `content` throws, and when it is longer than was said. */
  async read(content: RestoreContent, sizeBytes: number): Promise<Uint8Array> {
    const now = this.readNow(content, sizeBytes);
    if (now) return now;
    if (this.#bytes.byteLength < sizeBytes) this.#bytes = new Uint8Array(Math.max(FIRST_BYTES, 2 * sizeBytes));
    let length = 0;
    for await (const chunk of content) {
      this.#bytes.set(fitting(chunk, sizeBytes - length), length);
      length += chunk.byteLength;
    }
    return this.#bytes.subarray(0, length);
  }
}

function fitting(bytes: Uint8Array, room: number): Uint8Array {
  if (bytes.byteLength > room) throw new UnsupportedItemError('it is longer than it says');
  return bytes;
}
