/** Entry of a thread that opens and verifies blobs. */
import { parentPort } from 'node:worker_threads';
import { threadData } from '../../ports/start-thread.ts';
import type { MasterKey } from '../format/master-key.ts';
import { createSealedBox } from '../format/sealed-box.ts';
import { type DecodeTask, decodeBlobs } from './decode-blobs.ts';

const box = createSealedBox(threadData<{ readonly masterKey: MasterKey }>().masterKey);

parentPort?.on('message', (task: DecodeTask) => parentPort?.postMessage(decodeBlobs(box, task)));
