import type { Worker } from 'node:worker_threads';
import { AppError } from '@backupx/contracts/errors';
import { startThread } from '../../ports/start-thread.ts';
import { unpackError } from '../../ports/thread-error.ts';
import type { FromSealer, SealerData, ToSealer } from './messages.ts';

interface Sealer {
  readonly worker: Worker;
  answer: ((message: FromSealer) => void) | null;
}

export interface SealerPoolOptions extends SealerData {
  readonly count: number;
}

/** Threads that compress and seal. Work is handed out in the order of asking; each thread does one piece at a time. */
export class SealerPool {
  readonly #sealers: Sealer[];
  readonly #idle: Sealer[];
  readonly #waiting: ((sealer: Sealer) => void)[] = [];
  #failure: unknown = null;

  constructor({ count, ...data }: SealerPoolOptions) {
    this.#sealers = Array.from({ length: count }, () => this.#start(data));
    this.#idle = [...this.#sealers];
  }

  useMemory(memory: SharedArrayBuffer): void {
    for (const { worker } of this.#sealers) worker.postMessage({ type: 'memory', memory } satisfies ToSealer);
  }

  /** Seals the blobs of a slot; answers their lengths, see `FromSealer`. */
  async sealSlot(rows: Uint32Array): Promise<Uint32Array> {
    const answer = await this.#ask({ type: 'slot', rows });
    if (answer.type !== 'sealed') throw failureOf(answer);
    return answer.lengths;
  }

  async sealLarge(bytes: Uint8Array): Promise<{ sealed: Uint8Array; plainLength: number }> {
    const answer = await this.#ask({ type: 'large', bytes });
    if (answer.type !== 'sealedLarge') throw failureOf(answer);
    return answer;
  }

  async close(): Promise<void> {
    this.#fail(new AppError('CANCELLED'));
    await Promise.all(this.#sealers.map(({ worker }) => worker.terminate()));
  }

  #start(data: SealerData): Sealer {
    const worker = startThread(new URL('./sealer-worker.ts', import.meta.url), { data, name: 'backupx seal' });
    const sealer: Sealer = { worker, answer: null };
    worker.on('message', (message: FromSealer) => sealer.answer?.(message));
    worker.on('error', (error) => this.#fail(error));
    return sealer;
  }

  async #ask(message: ToSealer): Promise<FromSealer> {
    const sealer = this.#idle.pop() ?? (await new Promise<Sealer>((resolve) => this.#waiting.push(resolve)));
    if (this.#failure !== null) throw this.#failure;
    const answer = await new Promise<FromSealer>((resolve) => {
      sealer.answer = resolve;
      sealer.worker.postMessage(message);
    });
    sealer.answer = null;
    const next = this.#waiting.shift();
    if (next) next(sealer);
    else this.#idle.push(sealer);
    if (this.#failure !== null) throw this.#failure;
    return answer;
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

function failureOf(answer: FromSealer): unknown {
  return answer.type === 'failed' ? unpackError(answer.error) : new AppError('INTERNAL');
}
