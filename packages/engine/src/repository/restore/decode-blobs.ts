import { openBlob } from '../blob-reader.ts';
import { ID_BYTES } from '../format/blob-id.ts';
import type { SealedBox } from '../format/sealed-box.ts';

/** Numbers per blob: offset and length in the sealed bytes, plain length as in the index, offset in the plain bytes. */
export const DECODE_ROW = 4;

/** Sealed blobs and where their content goes; the memory may be shared between threads. */
export interface DecodeTask {
  readonly sealed: Uint8Array;
  readonly plain: Uint8Array;
  readonly rows: Uint32Array;
  /** 32 bytes per blob. */
  readonly ids: Uint8Array;
}

/** Opens, decompresses and verifies blobs; answers 1 for each whose content is in its place, 0 for damaged ones. */
export function decodeBlobs(box: SealedBox, { sealed, plain, rows, ids }: DecodeTask): Uint8Array {
  const count = rows.length / DECODE_ROW;
  const isGood = new Uint8Array(count);
  for (let number = 0; number < count; number += 1) {
    const [at = 0, length = 0, plainLength = 0, plainAt = 0] = rows.subarray(number * DECODE_ROW);
    try {
      const id = ids.subarray(number * ID_BYTES, (number + 1) * ID_BYTES);
      plain.set(openBlob(box, { id, sealed: sealed.subarray(at, at + length), plainLength }), plainAt);
      isGood[number] = 1;
    } catch {
      // Who asked looks closer at it.
    }
  }
  return isGood;
}
