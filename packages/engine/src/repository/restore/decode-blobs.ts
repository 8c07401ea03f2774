import { hashOf, ID_BYTES } from '../format/blob-id.ts';
import { SEAL_OVERHEAD, type SealedBox } from '../format/sealed-box.ts';
import { decompressInto } from '../format/zstd.ts';

/** Numbers per blob: where its sealed bytes lie and how many, plain length as in the index, where its content goes. */
export const DECODE_ROW = 4;

/** Sealed blobs and places for their content, as offsets in the decoder's memory. */
export interface DecodeTask {
  readonly rows: Uint32Array;
  /** 32 bytes per blob. */
  readonly ids: Uint8Array;
}

/** Opens, decompresses and verifies blobs inside one memory, with next to no memory of its own. For one thread. */
export class BlobDecoder {
  readonly #box: SealedBox;
  readonly #memory: Uint8Array;
  #frame = new Uint8Array(64 * 1024);

  constructor(box: SealedBox, memory: SharedArrayBuffer) {
    this.#box = box;
    this.#memory = new Uint8Array(memory);
  }

  /** Answers 1 for each blob whose content is in its place, 0 for the damaged ones. */
  decode({ rows, ids }: DecodeTask): Uint8Array {
    const isGood = new Uint8Array(rows.length / DECODE_ROW);
    for (let number = 0, row = 0; number < isGood.length; number += 1, row += DECODE_ROW) {
      try {
        const sealedAt = rows[row] ?? 0;
        const sealed = this.#memory.subarray(sealedAt, sealedAt + (rows[row + 1] ?? 0));
        const plain = this.#open(sealed, rows[row + 2] ?? 0, rows[row + 3] ?? 0);
        if (hashOf(plain).equals(ids.subarray(number * ID_BYTES, (number + 1) * ID_BYTES))) isGood[number] = 1;
      } catch {
        // Who asked looks closer at it.
      }
    }
    return isGood;
  }

  #open(sealed: Uint8Array, plainLength: number, plainAt: number): Uint8Array {
    const openedLength = Math.max(0, sealed.byteLength - SEAL_OVERHEAD);
    if (plainLength === 0) {
      const plain = this.#memory.subarray(plainAt, plainAt + openedLength);
      this.#box.openInto(sealed, plain);
      return plain;
    }
    if (openedLength > this.#frame.byteLength) this.#frame = new Uint8Array(2 * openedLength);
    const frame = this.#frame.subarray(0, this.#box.openInto(sealed, this.#frame));
    const plain = this.#memory.subarray(plainAt, plainAt + plainLength);
    return plain.subarray(0, decompressInto(frame, plain));
  }
}
