import type { Worker } from 'node:worker_threads';
import { AppError } from '@backupx/contracts/errors';
import type { DriverSettings } from '@backupx/contracts/jobs';
import { cancelledError } from '../ports/pull-body.ts';
import type { SourceDriver } from '../ports/source.ts';
import { startThread } from '../ports/start-thread.ts';
import { unpackError } from '../ports/thread-error.ts';
import { openSource } from './parse-settings.ts';
import type { OpenReader, OpenReaderOptions, ReadCounters, Reader } from './read-source.ts';
import type { FromReaderWorker, ReaderWorkerData, ToReaderWorker } from './thread-messages.ts';

const BLOCK_BYTES = 4 * 1024 * 1024;

export interface ReaderThreadOptions {
  /** To check the settings before they go to the thread. */
  readonly sources: readonly SourceDriver[];
  readonly readersUrl: string;
  readonly tempDir: string;
  /** Blocks on their way at the same time; memory is that many times 4 MiB. */
  readonly blockCount: number;
}

/** Opens readers that work in a thread of their own, which counts the totals while it waits. */
export function createThreadReader(options: ReaderThreadOptions): OpenReader {
  return (open) => openThreadReader(options, open);
}

function startReader(options: ReaderThreadOptions, source: DriverSettings): Worker {
  const { config } = openSource(options.sources, source);
  const { readersUrl, tempDir, blockCount } = options;
  const data: ReaderWorkerData = {
    source: { type: source.type, config },
    readersUrl,
    tempDir,
    blockCount,
    blockBytes: BLOCK_BYTES,
  };
  return startThread(new URL('./reader-worker.ts', import.meta.url), { data, name: 'backupx read', tempDir });
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
  const worker = startReader(options, source);
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
      await worker.terminate();
    })();
    return closing;
  };
  if (signal.aborted) onAbort();
  else signal.addEventListener('abort', onAbort, { once: true });

  worker.on('message', (message: FromReaderWorker) => {
    if (message.type === 'block') channels[message.part].push(message.block);
    else if (message.type === 'end') channels[message.part].end();
    else if (message.type === 'totals') events.onTotals(message.totals);
    else if (message.type === 'problem') events.onProblem(message.problem);
    else if (message.type === 'log') events.onLog(message.level, message.message);
    else if (message.type === 'error') fail(unpackError(message.error));
    else if (message.type === 'progress') events.onProgress(Object.assign(counters, message.counters));
  });
  worker.on('error', (error) => fail(new AppError('SOURCE_FAILED', { reason: error.message }, { cause: error })));
  worker.on('exit', () => fail(new AppError('SOURCE_FAILED', { reason: 'the reading thread ended unexpectedly' })));

  return {
    blocks: channels.archive,
    contents: channels.contents,
    recycle(block) {
      const message: ToReaderWorker = {
        type: 'credit',
        memory: block.buffer instanceof SharedArrayBuffer ? block.buffer : null,
      };
      worker.postMessage(message);
    },
    counters,
    close,
  };
}
