/**
 * Entry of the sealing thread. Sealing and opening leave garbage as large as the data; next to no heap makes collecting
 * it cheap, where in the thread of the job it took a fifth of the CPU time of an encrypted backup.
 */
import { parentPort } from 'node:worker_threads';
import { openPiecesNow, sealPiecesNow } from '../archive/seal-pieces.ts';
import type { FromSealWorker, ToSealWorker } from './thread-messages.ts';

const send = (message: FromSealWorker) => parentPort?.postMessage(message);

parentPort?.on('message', ({ work, group, output }: ToSealWorker) => {
  try {
    const sizeBytes = work === 'seal' ? sealPiecesNow(group, output) : openPiecesNow(group, output);
    send({ type: 'done', sizeBytes });
  } catch (error) {
    send({ type: 'failed', reason: error instanceof Error ? error.message : String(error) });
  }
});
