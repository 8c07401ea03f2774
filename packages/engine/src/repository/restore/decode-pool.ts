import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Worker } from 'node:worker_threads';
import { AppError } from '@backupx/contracts/errors';
import { startThread } from '../../ports/start-thread.ts';
import type { Repository } from '../open-repository.ts';
import { BlobDecoder, type DecodeTask } from './decode-blobs.ts';
import type { DecoderData } from './decode-worker.ts';

/** Runs the tasks of a `BlobDecoder`, several at once. */
export interface DecodePool {
  decode(task: DecodeTask): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** Decodes in this thread: for a restore so small that starting threads would cost more. */
export function createLocalDecoder({ box }: Pick<Repository, 'box'>, memory: SharedArrayBuffer): DecodePool {
  const decoder = new BlobDecoder(box, memory);
  return {
    async decode(task) {
      await nextTurn();
      return decoder.decode(task);
    },
    async close() {},
  };
}

/** Decodes in so many threads, each one task at a time; further tasks wait. */
export function createThreadDecoder(data: DecoderData, count: number): DecodePool {
  return new ThreadDecoder(data, count);
}

interface Waiting {
  readonly task: DecodeTask;
  resolve(isGood: Uint8Array): void;
  reject(error: unknown): void;
}

class ThreadDecoder implements DecodePool {
  readonly #workers: Worker[];
  readonly #idle: Worker[];
  readonly #waiting: Waiting[] = [];
  readonly #running = new Map<Worker, Waiting>();
  #failure: unknown = null;

  constructor(data: DecoderData, count: number) {
    this.#workers = Array.from({ length: count }, () => this.#start(data));
    this.#idle = [...this.#workers];
  }

  decode(task: DecodeTask): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== null) {
        reject(this.#failure);
        return;
      }
      this.#waiting.push({ task, resolve, reject });
      this.#handOut();
    });
  }

  async close(): Promise<void> {
    this.#fail(new AppError('CANCELLED'));
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }

  #start({ masterKey, memory }: DecoderData): Worker {
    const url = new URL('./decode-worker.ts', import.meta.url);
    const worker = startThread<DecoderData>(url, { data: { masterKey, memory }, name: 'backupx decode' });
    worker.on('message', (isGood: Uint8Array) => {
      const done = this.#running.get(worker);
      this.#running.delete(worker);
      this.#idle.push(worker);
      this.#handOut();
      done?.resolve(isGood);
    });
    worker.on('error', (error) => this.#fail(new AppError('INTERNAL', {}, { cause: error })));
    worker.on('exit', () => this.#fail(new AppError('INTERNAL', {}, { cause: new Error('a decoding thread ended') })));
    return worker;
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
