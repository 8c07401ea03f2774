/**
 * Entry of the reading thread. It walks and reads with synchronous calls, which block it for good stretches; that is
 * its purpose. It sends blocks only while it has credit, and is stopped by ending the thread.
 */
import { parentPort } from 'node:worker_threads';
import { AppError } from '@backupx/contracts/errors';
import type { SourceReaders } from '../ports/source.ts';
import { threadData } from '../ports/start-thread.ts';
import { packError } from '../ports/thread-error.ts';
import { TotalsCount } from '../ports/totals-count.ts';
import { type Reader, readSource } from './read-source.ts';
import type { FromReaderWorker, ReaderWorkerData, ToReaderWorker } from './thread-messages.ts';

const port = parentPort;
const data = threadData<ReaderWorkerData>();

/** How long the totals are counted per block: at least, and at a time while there is nothing else to do. */
const COUNT_BESIDE_MS = 4;
const COUNT_WAITING_MS = 10;

const send = (message: FromReaderWorker) => port?.postMessage(message);

/** Blocks this thread may still send, and memory that came back. */
class Credits {
  readonly #memory: SharedArrayBuffer[] = [];
  #left: number;
  #wake: (() => void) | null = null;

  constructor(count: number) {
    this.#left = count;
  }

  add(memory: SharedArrayBuffer | null): void {
    this.#left += 1;
    if (memory?.byteLength === data.blockBytes) this.#memory.push(memory);
    this.#wake?.();
  }

  allocate(): Uint8Array {
    return new Uint8Array(this.#memory.pop() ?? new SharedArrayBuffer(data.blockBytes));
  }

  get isAvailable(): boolean {
    return this.#left > 0;
  }

  async spend(): Promise<void> {
    this.#left -= 1;
    if (this.#left > 0) return;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    this.#wake = null;
  }
}

interface Reading {
  readonly reader: Reader;
  readonly credits: Credits;
  readonly totals: TotalsCount;
}

async function sendAll(part: 'archive' | 'contents', { reader, credits, totals }: Reading): Promise<void> {
  const blocks = part === 'archive' ? reader.blocks : reader.contents;
  for await (const block of blocks) {
    // Blocks of the archive lie in shared memory; the small ones of the list are copied on their way.
    send({ type: 'block', part, block });
    if (part === 'archive') send({ type: 'progress', counters: reader.counters });
    const credit = credits.spend();
    if (part === 'archive') totals.work(COUNT_BESIDE_MS);
    while (part === 'archive' && !credits.isAvailable && !totals.isDone) {
      totals.work(COUNT_WAITING_MS);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await credit;
  }
  if (part === 'archive') send({ type: 'progress', counters: reader.counters });
  send({ type: 'end', part });
}

async function read(readers: SourceReaders): Promise<void> {
  const { type, config } = data.source;
  const source = readers[type];
  if (!source) throw new AppError('SOURCE_TYPE_UNKNOWN', { type, known: Object.keys(readers).join(', ') });
  const credits = new Credits(data.blockCount);
  port?.on('message', (message: ToReaderWorker) => credits.add(message.memory));
  const reader = readSource({
    reader: source,
    config,
    tempDir: data.tempDir,
    signal: new AbortController().signal,
    blockSize: data.blockBytes,
    allocate: () => credits.allocate(),
    events: {
      onProblem: (problem) => send({ type: 'problem', problem }),
      onLog: (level, message) => send({ type: 'log', level, message }),
      onTotals() {},
      onProgress: (counters) => send({ type: 'progress', counters }),
    },
  });
  const reading = {
    reader,
    credits,
    totals: new TotalsCount(source.countTotals?.(config), (totals) => send({ type: 'totals', totals })),
  };
  try {
    await sendAll('archive', reading);
    await sendAll('contents', reading);
  } finally {
    await reader.close();
  }
}

async function main(): Promise<void> {
  try {
    const { sourceReaders } = (await import(data.readersUrl)) as { sourceReaders: SourceReaders };
    await read(sourceReaders);
  } catch (error) {
    send({ type: 'error', error: packError(error) });
  } finally {
    port?.close();
  }
}

await main();
