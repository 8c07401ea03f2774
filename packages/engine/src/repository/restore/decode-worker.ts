/** Entry of a thread that opens and verifies blobs. */
import { parentPort } from 'node:worker_threads';
import { threadData } from '../../ports/start-thread.ts';
import type { MasterKey } from '../format/master-key.ts';
import { BlobDecoder, type DecodeTask } from './decode-blobs.ts';

/** What a decoding thread is started with. */
export interface DecoderData {
  readonly masterKey: MasterKey;
  readonly memory: SharedArrayBuffer;
}

const { masterKey, memory } = threadData<DecoderData>();
const decoder = new BlobDecoder(masterKey, memory);

parentPort?.on('message', (task: DecodeTask) => parentPort?.postMessage(decoder.decode(task)));
