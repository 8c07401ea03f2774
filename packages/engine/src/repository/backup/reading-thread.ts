import type { Worker } from 'node:worker_threads';
import { AppError } from '@backupx/contracts/errors';
import type { DriverSettings } from '@backupx/contracts/jobs';
import { startThread } from '../../ports/start-thread.ts';
import type { FromReader, ReaderData, ReaderStart, ToReader } from './messages.ts';
import { SlotControl } from './slot-memory.ts';

/** Slots beyond one per sealing thread: the one being filled, and one more, so that no sealing thread waits for it. */
const SPARE_SLOTS = 2;
/** Most of what the reading thread makes is short-lived; the default would let it grow to three times that. */
const YOUNG_MB = 6;
/** From 2 GB up the runtime would let the heap grow fourfold between two collections, below it less than twofold. */
const OLD_MB = 2000;

export interface ReadingThreadOptions {
  /** With checked settings. */
  readonly source: DriverSettings;
  readonly readersUrl: string;
  /** For secrets of programs. */
  readonly tempDir: string;
  /** Sealing threads that it fills slots for. */
  readonly parallelism: number;
}

/** Who hears of what the thread says and how it ends. */
export interface ReadingListener {
  onMessage(message: FromReader): void;
  /** Also of a thread that has done its work: after its last message. */
  onEnd(error: AppError): void;
}

/**
 * The thread that reads a source for a repository. Start it early: it loads its modules while the repository is opened,
 * locked and read. `close` ends it in every case; idempotent.
 */
export class ReadingThread {
  readonly control: SlotControl;
  readonly #worker: Worker;
  #listener: ReadingListener | null = null;
  readonly #early: FromReader[] = [];
  #ended: AppError | null = null;

  constructor({ source, readersUrl, tempDir, parallelism }: ReadingThreadOptions) {
    this.control = new SlotControl(parallelism + SPARE_SLOTS);
    const data: ReaderData = { source, tempDir, readersUrl, control: this.control.shared };
    this.#worker = startThread(new URL('./reader-worker.ts', import.meta.url), {
      data,
      name: 'backupx read',
      tempDir,
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB, maxOldGenerationSizeMb: OLD_MB },
    });
    this.#worker.on('message', (message: FromReader) => {
      if (this.#listener) this.#listener.onMessage(message);
      else this.#early.push(message);
    });
    this.#worker.on('error', (error) =>
      this.#end(new AppError('SOURCE_FAILED', { reason: error.message }, { cause: error })),
    );
    this.#worker.on('exit', () =>
      this.#end(new AppError('SOURCE_FAILED', { reason: 'the reading thread ended unexpectedly' })),
    );
  }

  /** Says what to read against; once. */
  start(start: ReaderStart, listener: ReadingListener): void {
    this.#listener = listener;
    for (const message of this.#early.splice(0)) listener.onMessage(message);
    if (this.#ended) listener.onEnd(this.#ended);
    else this.#worker.postMessage(start);
  }

  answer(trees: ToReader, transfer: ArrayBuffer[]): void {
    this.#worker.postMessage(trees, transfer);
    this.control.announceAnswer();
  }

  async close(): Promise<void> {
    this.control.abort();
    await this.#worker.terminate();
  }

  #end(error: AppError): void {
    this.#ended ??= error;
    this.#listener?.onEnd(this.#ended);
  }
}
