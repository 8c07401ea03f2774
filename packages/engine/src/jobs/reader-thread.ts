import { Worker } from 'node:worker_threads';
import { AppError } from '@backupx/contracts/errors';
import type { DriverSettings } from '@backupx/contracts/jobs';
import { cancelledError } from '../ports/pull-body.ts';
import type { OpenReader, OpenReaderOptions, ReadCounters, Reader } from './read-source.ts';
import { type FromReaderWorker, type ReaderWorkerData, type ToReaderWorker, unpackError } from './thread-messages.ts';

const BLOCK_BYTES = 4 * 1024 * 1024;

export interface ReaderThreadOptions {
  readonly sourcesUrl: string;
  readonly tempDir: string;
  /** Blocks on their way at the same time; memory is that many times 4 MiB. */
  readonly blockCount: number;
}

/** Opens readers that work in a thread of their own, with a second thread that counts the totals meanwhile. */
export function createThreadReader(options: ReaderThreadOptions): OpenReader {
  return (open) => openThreadReader(options, open);
}

function startWorker(options: ReaderThreadOptions, source: DriverSettings, mode: ReaderWorkerData['mode']): Worker {
  const workerData: ReaderWorkerData = { mode, source, ...options, blockBytes: BLOCK_BYTES };
  return new Worker(new URL('./reader-worker.ts', import.meta.url), { workerData, name: `backupx ${mode}` });
}

/** A queue between the thread's messages and one reader of them. */
class BlockChannel implements AsyncIterable<Uint8Array> {
  readonly #blocks: Uint8Array[] = [];
  #isEnded = false;
  #failure: unknown = null;
  #wake: (() => void) | null = null;

  push(block: Uint8Array): void {
    this.#blocks.push(block);
    this.#wake?.();
  }

  end(): void {
    this.#isEnded = true;
    this.#wake?.();
  }

  fail(error: unknown): void {
    if (this.#isEnded) return;
    this.#failure ??= error;
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for (;;) {
      if (this.#failure !== null) throw this.#failure;
      const block = this.#blocks.shift();
      if (block) yield block;
      else if (this.#isEnded) return;
      else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        this.#wake = null;
      }
    }
  }
}

function openThreadReader(options: ReaderThreadOptions, { source, signal, events }: OpenReaderOptions): Reader {
  const worker = startWorker(options, source, 'read');
  const counter = startWorker(options, source, 'count');
  const channels = { archive: new BlockChannel(), contents: new BlockChannel() };
  const counters: ReadCounters = { items: 0, bytes: 0, currentItem: null };
  const fail = (error: unknown) => {
    channels.archive.fail(error);
    channels.contents.fail(error);
  };
  const onAbort = () => {
    fail(cancelledError(signal));
    void close();
  };
  let closing: Promise<void> | null = null;
  const close = () => {
    closing ??= (async () => {
      signal.removeEventListener('abort', onAbort);
      await Promise.all([worker.terminate(), counter.terminate()]);
    })();
    return closing;
  };
  if (signal.aborted) onAbort();
  else signal.addEventListener('abort', onAbort, { once: true });

  worker.on('message', (message: FromReaderWorker) => {
    if (message.type === 'block') channels[message.part].push(message.block);
    else if (message.type === 'end') channels[message.part].end();
    else if (message.type === 'problem') events.onProblem(message.problem);
    else if (message.type === 'log') events.onLog(message.level, message.message);
    else if (message.type === 'error') fail(unpackError(message.error));
    else if (message.type === 'progress') events.onProgress(Object.assign(counters, message.counters));
  });
  worker.on('error', (error) => fail(new AppError('SOURCE_FAILED', { reason: error.message }, { cause: error })));
  worker.on('exit', () => fail(new AppError('SOURCE_FAILED', { reason: 'the reading thread ended unexpectedly' })));
  counter.on('message', (message: FromReaderWorker) => {
    if (message.type === 'totals' && message.totals) events.onTotals(message.totals);
  });
  // Without totals there is no percent; that is all.
  counter.on('error', () => {});

  return {
    blocks: channels.archive,
    contents: channels.contents,
    recycle(block) {
      const memory = block.buffer as ArrayBuffer;
      const message: ToReaderWorker = { type: 'credit', memory };
      worker.postMessage(message, [memory]);
    },
    counters,
    close,
  };
}
