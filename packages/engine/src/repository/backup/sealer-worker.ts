/** Entry of a thread that compresses and seals blobs where they lie in the shared slots. */
import { parentPort } from 'node:worker_threads';
import { threadData } from '../../ports/start-thread.ts';
import { packError } from '../../ports/thread-error.ts';
import { createSealedBox } from '../format/sealed-box.ts';
import { sealParts } from '../format/unpacked-file.ts';
import { compressPieces, createCompressor } from '../format/zstd.ts';
import type { FromSealer, SealerData, ToSealer } from './messages.ts';
import { BLOB_LEAD, BLOB_ROW, buffersOf } from './slot-memory.ts';
import { lengthOfParts, plainPieces, type TreePart } from './tree-part.ts';

const data = threadData<SealerData>();
const box = createSealedBox(data.masterKey);
/** Shorter than any chunk but the last of a file. */
const SMALL_BYTES = 512 * 1024;
/**
 * What a whole file smaller than any chunk gains from level 3 is 0.4 %, for a third more time (measured on 133 MB of
 * small files); on the chunks of large ones it is 4 %. Those gain another 0.5 to 2.4 % from tables four times as
 * large, which no longer stay in the cache: 13 % more time on an SQL dump.
 */
const compressors = { small: createCompressor({ level: 2 }), large: createCompressor({ level: 3, tableLog: 16 }) };
const compress = (bytes: Uint8Array) =>
  (bytes.byteLength < SMALL_BYTES ? compressors.small : compressors.large).compress(bytes);
/** The slots, once the reading thread has made them. */
let memory: Uint8Array = new Uint8Array(0);
const send = (message: FromSealer, transfer: ArrayBuffer[] = []) => parentPort?.postMessage(message, transfer);

/** Seals the blob at `at` from `BLOB_LEAD` before it on; answers its sealed length and plain length (0: stored as it is). */
function sealInPlace(at: number, length: number, isTree: boolean): [number, number] {
  const plain = memory.subarray(at, at + length);
  const frame = compress(plain);
  // Trees are always compressed in this format; other content only where it helps.
  if (isTree || frame.byteLength < length) return [box.sealInto(frame, memory, at - BLOB_LEAD), length];
  // Over itself: the IV comes before it, so every byte is written where it was read.
  return [box.sealInto(plain, memory, at - BLOB_LEAD), 0];
}

function sealSlot(rows: Uint32Array): Uint32Array {
  const lengths = new Uint32Array((rows.length / BLOB_ROW) * 2);
  for (let row = 0, out = 0; row < rows.length; row += BLOB_ROW, out += 2) {
    lengths.set(sealInPlace(rows[row] ?? 0, rows[row + 1] ?? 0, rows[row + 2] === 1), out);
  }
  return lengths;
}

/** Neither the content nor its frame ever lies here in one piece. */
async function sealLarge(parts: readonly TreePart[]): Promise<FromSealer & { type: 'sealedLarge' }> {
  const plainLength = lengthOfParts(parts);
  const sealed = sealParts(box, await compressPieces(plainPieces(parts), plainLength));
  return { type: 'sealedLarge', sealed, plainLength };
}

async function answer(message: ToSealer): Promise<void> {
  try {
    if (message.type === 'memory') memory = new Uint8Array(message.memory);
    else if (message.type === 'slot') send({ type: 'sealed', lengths: sealSlot(message.rows) });
    else {
      const made = await sealLarge(message.parts);
      send(made, buffersOf([made.sealed]));
    }
  } catch (error) {
    send({ type: 'failed', error: packError(error) });
  }
}

parentPort?.on('message', (message: ToSealer) => void answer(message));
