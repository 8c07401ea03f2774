/**
 * Entry of the reading thread. It walks and reads with synchronous calls, which block it for good stretches; that is
 * its purpose. It sends blocks only while it has credit, and is stopped by ending the thread.
 */
import { parentPort, workerData } from 'node:worker_threads';
import type { SourceDriver } from '../ports/source.ts';
import { openSource } from './parse-settings.ts';
import { type Reader, readSource } from './read-source.ts';
import { type FromReaderWorker, packError, type ReaderWorkerData, type ToReaderWorker } from './thread-messages.ts';

const port = parentPort;
const data = workerData as ReaderWorkerData;

const send = (message: FromReaderWorker, transfer: ArrayBuffer[] = []) => port?.postMessage(message, transfer);

/** Blocks this thread may still send, and memory that came back. */
class Credits {
  readonly #memory: ArrayBuffer[] = [];
  #left: number;
  #wake: (() => void) | null = null;

  constructor(count: number) {
    this.#left = count;
  }

  add(memory: ArrayBuffer | null): void {
    this.#left += 1;
    if (memory?.byteLength === data.blockBytes) this.#memory.push(memory);
    this.#wake?.();
  }

  allocate(): Uint8Array {
    return new Uint8Array(this.#memory.pop() ?? new ArrayBuffer(data.blockBytes));
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

async function sendAll(part: 'archive' | 'contents', reader: Reader, credits: Credits): Promise<void> {
  const blocks = part === 'archive' ? reader.blocks : reader.contents;
  for await (const block of blocks) {
    // Small buffers are cut from one that is shared: only memory of its own may change hands.
    const own = part === 'archive' || block.byteLength === block.buffer.byteLength ? block : Uint8Array.from(block);
    send({ type: 'block', part, block: own }, [own.buffer as ArrayBuffer]);
    if (part === 'archive') send({ type: 'progress', counters: reader.counters });
    await credits.spend();
  }
  if (part === 'archive') send({ type: 'progress', counters: reader.counters });
  send({ type: 'end', part });
}

async function read(sources: readonly SourceDriver[]): Promise<void> {
  const credits = new Credits(data.blockCount);
  port?.on('message', (message: ToReaderWorker) => credits.add(message.memory));
  const reader = readSource({
    source: data.source,
    sources,
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
  try {
    await sendAll('archive', reader, credits);
    await sendAll('contents', reader, credits);
  } finally {
    await reader.close();
  }
}

async function count(sources: readonly SourceDriver[]): Promise<void> {
  const { driver, config } = openSource(sources, data.source);
  const totals = (await driver.countTotals?.(config, new AbortController().signal)) ?? null;
  send({ type: 'totals', totals });
}

async function main(): Promise<void> {
  try {
    const { sourceDrivers } = (await import(data.sourcesUrl)) as { sourceDrivers: readonly SourceDriver[] };
    await (data.mode === 'read' ? read(sourceDrivers) : count(sourceDrivers));
  } catch (error) {
    send({ type: 'error', error: packError(error) });
  } finally {
    port?.close();
  }
}

await main();
