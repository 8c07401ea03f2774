import type { Worker } from 'node:worker_threads';
import { AppError } from '@backupx/contracts/errors';
import { startThread } from '../../ports/start-thread.ts';
import { unpackError } from '../../ports/thread-error.ts';
import type { TreePart } from '../tree-part.ts';
import type { FromSealer, SealerData, ToSealer } from './messages.ts';
import { BLOB_ROW, buffersOf } from './slot-memory.ts';
import { SlotSealer } from './slot-sealer.ts';

interface Sealer {
  readonly worker: Worker;
  answer: ((message: FromSealer) => void) | null;
}

/** Little lives in these threads, but short-lived copies of content hang on it: collect them often. */
const YOUNG_MB = 3;
/** A small limit also makes the runtime let the heap grow more slowly; 14 MB are used. */
const OLD_MB = 256;

/** So little is sealed sooner than a thread is started: it is all that an unchanged source has. */
const LOCAL_BYTES = 256 * 1024;

export interface SealerPoolOptions extends Omit<SealerData, 'memory'> {
  readonly count: number;
}

/** Threads that compress and seal. Work is handed out in the order of asking; each thread does one piece at a time. */
export class SealerPool {
  readonly #options: SealerPoolOptions;
  readonly #sealers: Sealer[] = [];
  readonly #idle: Sealer[] = [];
  #memory: SharedArrayBuffer | null = null;
  readonly #waiting: ((sealer: Sealer) => void)[] = [];
  #failure: unknown = null;

  constructor(options: SealerPoolOptions) {
    this.#options = options;
  }

  /** Before anything is sealed. */
  useMemory(memory: SharedArrayBuffer): void {
    this.#memory = memory;
  }

  /** Seals the blobs of a slot; answers their lengths, see `FromSealer`. */
  async sealSlot(rows: Uint32Array): Promise<Uint32Array> {
    if (this.#sealers.length === 0 && bytesOf(rows) <= LOCAL_BYTES) return this.#sealHere(rows);
    const answer = await this.#ask({ type: 'slot', rows });
    if (answer.type !== 'sealed') throw failureOf(answer);
    return answer.lengths;
  }

  /** Seals a blob whose parts are given away. */
  async sealLarge(parts: readonly TreePart[]): Promise<{ sealed: Uint8Array; plainLength: number }> {
    const answer = await this.#ask({ type: 'large', parts }, buffersOf(parts.map(({ bytes }) => bytes)));
    if (answer.type !== 'sealedLarge') throw failureOf(answer);
    return answer;
  }

  async close(): Promise<void> {
    this.#fail(new AppError('CANCELLED'));
    await Promise.all(this.#sealers.map(({ worker }) => worker.terminate()));
  }

  #sealHere(rows: Uint32Array): Uint32Array {
    if (this.#failure !== null) throw this.#failure;
    return new SlotSealer(this.#options.masterKey, this.#slots).seal(rows);
  }

  get #slots(): SharedArrayBuffer {
    if (!this.#memory) throw new Error('nothing can be sealed before there are slots');
    return this.#memory;
  }

  #start(): Sealer {
    const data: SealerData = { masterKey: this.#options.masterKey, memory: this.#slots };
    const resourceLimits = { maxYoungGenerationSizeMb: YOUNG_MB, maxOldGenerationSizeMb: OLD_MB };
    const url = new URL('./sealer-worker.ts', import.meta.url);
    const worker = startThread(url, { data, name: 'backupx seal', resourceLimits });
    const sealer: Sealer = { worker, answer: null };
    this.#sealers.push(sealer);
    worker.on('message', (message: FromSealer) => sealer.answer?.(message));
    worker.on('error', (error) => this.#fail(error));
    return sealer;
  }

  async #ask(message: ToSealer, transfer: ArrayBuffer[] = []): Promise<FromSealer> {
    if (this.#failure !== null) throw this.#failure;
    const sealer = await this.#takeSealer();
    if (this.#failure !== null) throw this.#failure;
    const answer = await new Promise<FromSealer>((resolve) => {
      sealer.answer = resolve;
      sealer.worker.postMessage(message, transfer);
    });
    sealer.answer = null;
    const next = this.#waiting.shift();
    if (next) next(sealer);
    else this.#idle.push(sealer);
    if (this.#failure !== null) throw this.#failure;
    return answer;
  }

  /** Threads are started when there is something to seal: an unchanged source needs none. */
  async #takeSealer(): Promise<Sealer> {
    const idle = this.#idle.pop();
    if (idle) return idle;
    if (this.#sealers.length < this.#options.count) return this.#start();
    return await new Promise<Sealer>((resolve) => this.#waiting.push(resolve));
  }

  /** Ends everything that waits: a thread that died answers no more. */
  #fail(error: unknown): void {
    this.#failure ??= error;
    const failed = new AppError('INTERNAL', {}, { cause: this.#failure });
    const message: FromSealer = { type: 'failed', error: { error: failed.toJSON(), causeText: String(error) } };
    for (const sealer of this.#sealers) sealer.answer?.(message);
    for (const waiting of this.#waiting.splice(0)) {
      const [sealer] = this.#sealers;
      if (sealer) waiting(sealer);
    }
  }
}

function bytesOf(rows: Uint32Array): number {
  let bytes = 0;
  for (let row = 0; row < rows.length; row += BLOB_ROW) bytes += rows[row + 1] ?? 0;
  return bytes;
}

function failureOf(answer: FromSealer): unknown {
  return answer.type === 'failed' ? unpackError(answer.error) : new AppError('INTERNAL');
}
