/** Entry of a thread that compresses and seals blobs where they lie in the shared slots. */
import { parentPort } from 'node:worker_threads';
import { threadData } from '../../ports/start-thread.ts';
import { packError } from '../../ports/thread-error.ts';
import { sealParts } from '../format/unpacked-file.ts';
import { compressPieces } from '../format/zstd.ts';
import { lengthOfParts, passingPieces, type TreePart } from '../tree-part.ts';
import type { FromSealer, SealerData, ToSealer } from './messages.ts';
import { buffersOf } from './slot-memory.ts';
import { SlotSealer } from './slot-sealer.ts';

const { masterKey, memory } = threadData<SealerData>();
const sealer = new SlotSealer(masterKey, memory);
const send = (message: FromSealer, transfer: ArrayBuffer[] = []) => parentPort?.postMessage(message, transfer);

/** Neither the content nor its frame ever lies here in one piece. */
async function sealLarge(parts: readonly TreePart[]): Promise<FromSealer & { type: 'sealedLarge' }> {
  const plainLength = lengthOfParts(parts);
  const sealed = sealParts(sealer.box, await compressPieces(passingPieces(parts), plainLength));
  return { type: 'sealedLarge', sealed, plainLength };
}

async function answer(message: ToSealer): Promise<void> {
  try {
    if (message.type === 'slot') send({ type: 'sealed', lengths: sealer.seal(message.rows) });
    else {
      const made = await sealLarge(message.parts);
      send(made, buffersOf([made.sealed]));
    }
  } catch (error) {
    send({ type: 'failed', error: packError(error) });
  }
}

parentPort?.on('message', (message: ToSealer) => void answer(message));
