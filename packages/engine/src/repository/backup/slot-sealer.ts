/** Compresses and seals blobs where they lie in the shared slots. For one thread. */
import type { MasterKey } from '../format/master-key.ts';
import { createSealedBox, type SealedBox } from '../format/sealed-box.ts';
import { type Compressor, createCompressor } from '../format/zstd.ts';
import { BLOB_LEAD, BLOB_ROW } from './slot-memory.ts';

/** Shorter than any chunk but the last of a file. */
const SMALL_BYTES = 512 * 1024;

/**
 * What a whole file smaller than any chunk gains from level 3 is 0.4 %, for a third more time (measured on 133 MB of
 * small files); on the chunks of large ones it is 4 %. Those gain another 0.5 to 2.4 % from tables four times as
 * large, which no longer stay in the cache: 13 % more time on an SQL dump.
 */
const SMALL = { level: 2 };
const LARGE = { level: 3, tableLog: 16 };

export class SlotSealer {
  readonly box: SealedBox;
  readonly #memory: Uint8Array;
  #small: Compressor | null = null;
  #large: Compressor | null = null;

  constructor(masterKey: MasterKey, memory: SharedArrayBuffer) {
    this.box = createSealedBox(masterKey);
    this.#memory = new Uint8Array(memory);
  }

  /** Seals the blobs of a slot (`FilledSlot.rows`); answers the sealed and plain length (0: not compressed) of each. */
  seal(rows: Uint32Array): Uint32Array {
    const lengths = new Uint32Array((rows.length / BLOB_ROW) * 2);
    for (let row = 0, out = 0; row < rows.length; row += BLOB_ROW, out += 2) {
      lengths.set(this.#sealInPlace(rows[row] ?? 0, rows[row + 1] ?? 0, rows[row + 2] === 1), out);
    }
    return lengths;
  }

  /** Seals the blob at `at` from `BLOB_LEAD` before it on; answers its sealed length and plain length (0: stored as it is). */
  #sealInPlace(at: number, length: number, isTree: boolean): [number, number] {
    const plain = this.#memory.subarray(at, at + length);
    const frame = this.#compress(plain);
    // Trees are always compressed in this format; other content only where it helps.
    if (isTree || frame.byteLength < length) return [this.box.sealInto(frame, this.#memory, at - BLOB_LEAD), length];
    // Over itself: the IV comes before it, so every byte is written where it was read.
    return [this.box.sealInto(plain, this.#memory, at - BLOB_LEAD), 0];
  }

  #compress(bytes: Uint8Array): Uint8Array {
    if (bytes.byteLength < SMALL_BYTES) {
      this.#small ??= createCompressor(SMALL);
      return this.#small.compress(bytes);
    }
    this.#large ??= createCompressor(LARGE);
    return this.#large.compress(bytes);
  }
}
