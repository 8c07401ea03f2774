import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Worker } from 'node:worker_threads';
import { AppError } from '@backupx/contracts/errors';
import { startThread } from '../../ports/start-thread.ts';
import { BlobDecoder, type DecodeTask } from './decode-blobs.ts';
import type { DecoderData } from './decode-worker.ts';

/** Runs the tasks of a `BlobDecoder`, several at once. */
export interface DecodePool {
  decode(task: DecodeTask): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** Decodes in this thread: for a restore so small that starting threads would cost more. */
export function createLocalDecoder({ masterKey, memory }: DecoderData): DecodePool {
  const decoder = new BlobDecoder(masterKey, memory);
  return {
    async decode(task) {
      await nextTurn();
      return decoder.decode(task);
    },
    async close() {},
  };
}

/**
 * Decodes in threads, each one task at a time; further tasks wait. It begins with one thread and starts others, up to
 * `maxCount`, when decoding turns out to be what the restore waits for: a thread costs a tenth of a second.
 */
export function createThreadDecoder(data: DecoderData, maxCount: number): DecodePool {
  return new ThreadDecoder(data, maxCount);
}

/** Little lives in these threads; without limits each of their heaps grows by 20 MB of what is no longer used. */
const LIMITS = { maxYoungGenerationSizeMb: 3, maxOldGenerationSizeMb: 256 } as const;

/** So many tasks wait only when nothing is there to be written … */
const MANY_WAITING = 2;
/** … and when that is so many times in a row, it is no accident. */
const TIMES_IN_A_ROW = 10;

interface Waiting {
  readonly task: DecodeTask;
  resolve(isGood: Uint8Array): void;
  reject(error: unknown): void;
}

class ThreadDecoder implements DecodePool {
  readonly #data: DecoderData;
  readonly #maxCount: number;
  readonly #workers: Worker[] = [];
  readonly #idle: Worker[] = [];
  readonly #waiting: Waiting[] = [];
  readonly #running = new Map<Worker, Waiting>();
  #failure: unknown = null;
  /** The first thread is up: what waited until then says nothing. */
  #hasAnswered = false;
  #busyTimes = 0;

  constructor(data: DecoderData, maxCount: number) {
    this.#data = data;
    this.#maxCount = maxCount;
    this.#start();
  }

  decode(task: DecodeTask): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== null) {
        reject(this.#failure);
        return;
      }
      this.#waiting.push({ task, resolve, reject });
      this.#handOut();
      this.#growIfBusy();
    });
  }

  async close(): Promise<void> {
    this.#fail(new AppError('CANCELLED'));
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }

  #start(): void {
    const { masterKey, memory } = this.#data;
    const url = new URL('./decode-worker.ts', import.meta.url);
    const data = { masterKey, memory };
    const worker = startThread<DecoderData>(url, { data, name: 'backupx decode', resourceLimits: LIMITS });
    this.#workers.push(worker);
    this.#idle.push(worker);
    worker.on('message', (isGood: Uint8Array) => {
      this.#hasAnswered = true;
      const done = this.#running.get(worker);
      this.#running.delete(worker);
      this.#idle.push(worker);
      this.#handOut();
      done?.resolve(isGood);
    });
    worker.on('error', (error) => this.#fail(new AppError('INTERNAL', {}, { cause: error })));
    worker.on('exit', () => this.#fail(new AppError('INTERNAL', {}, { cause: new Error('a decoding thread ended') })));
    this.#handOut();
  }

  #growIfBusy(): void {
    const isBusy = this.#hasAnswered && this.#waiting.length >= MANY_WAITING;
    this.#busyTimes = isBusy ? this.#busyTimes + 1 : 0;
    if (this.#busyTimes < TIMES_IN_A_ROW || this.#workers.length >= this.#maxCount) return;
    this.#busyTimes = 0;
    this.#start();
  }

  #handOut(): void {
    while (this.#waiting.length > 0) {
      const worker = this.#idle.pop();
      if (!worker) return;
      const next = this.#waiting.shift();
      if (!next) return;
      this.#running.set(worker, next);
      worker.postMessage(next.task);
    }
  }

  /** Ends everything that waits: a thread that died answers no more. */
  #fail(error: unknown): void {
    this.#failure ??= error;
    for (const { reject } of [...this.#waiting.splice(0), ...this.#running.values()]) reject(this.#failure);
    this.#running.clear();
  }
}
