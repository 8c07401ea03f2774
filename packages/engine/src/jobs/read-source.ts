import type { DriverSettings, ItemProblem } from '@backupx/contracts/jobs';
import { ContentsIndexWriter } from '../archive/contents-index.ts';
import { writeTar } from '../archive/tar-writer.ts';
import { displayPath } from '../ports/display-path.ts';
import type { SourceEntry, SourceReader, SourceTotals, StreamContent, SyncContent } from '../ports/source.ts';

const PROGRESS_EVERY_ITEMS = 256;

/** How far the reading is. */
export interface ReadCounters {
  items: number;
  bytes: number;
  currentItem: string | null;
}

export interface ReaderEvents {
  onProblem(problem: ItemProblem): void;
  onLog(level: 'info' | 'warn', message: string): void;
  onProgress(counters: Readonly<ReadCounters>): void;
  onTotals(totals: SourceTotals): void;
}

/** A source being read. `blocks` is the archive, to be read first and to its end; then `contents`, its list. */
export interface Reader {
  readonly blocks: AsyncIterable<Uint8Array>;
  readonly contents: AsyncIterable<Uint8Array>;
  /** Says that nothing reads this block any more. */
  recycle(block: Uint8Array): void;
  /** Final once `blocks` ended. */
  readonly counters: Readonly<ReadCounters>;
  /** Stops at once, wherever it stands; idempotent. */
  close(): Promise<void>;
}

export interface OpenReaderOptions {
  readonly source: DriverSettings;
  readonly signal: AbortSignal;
  readonly events: ReaderEvents;
}

export type OpenReader = (options: OpenReaderOptions) => Reader;

export interface ReadSourceOptions extends Pick<OpenReaderOptions, 'signal' | 'events'> {
  readonly reader: SourceReader;
  /** The checked settings of the source. */
  readonly config: Record<string, unknown>;
  readonly tempDir: string;
  readonly allocate?: () => Uint8Array;
  readonly blockSize?: number;
}

/** Reads a source in this very thread: source entries into archive blocks, list of contents on the side. */
export function readSource(options: ReadSourceOptions): Reader {
  const { signal, events } = options;
  const watch = new ReadWatch();
  const contents = new ContentsIndexWriter(options.tempDir);
  const { tempDir } = options;
  const entries = options.reader.entries(options.config, {
    ...{ signal, tempDir },
    problem: events.onProblem,
    log: events.onLog,
  });
  const blocks = writeTar(Symbol.iterator in entries ? watch.sync(entries) : watch.async(entries), {
    signal,
    blockSize: options.blockSize,
    allocate: options.allocate,
    onProblem: events.onProblem,
    onEntry(entry, storedSize) {
      watch.items += 1;
      contents.add(entry, storedSize);
      if (watch.items % PROGRESS_EVERY_ITEMS === 0) events.onProgress(watch.counters);
    },
  });
  return {
    blocks,
    contents: { [Symbol.asyncIterator]: () => contents.openContents() },
    recycle() {},
    get counters() {
      return watch.counters;
    },
    async close() {
      await blocks.return(undefined);
      contents.close();
    },
  };
}

/** Sees entries pass and counts the bytes read from them, so that a single huge file shows progress too. */
class ReadWatch {
  items = 0;
  #bytes = 0;
  #path: Uint8Array | null = null;

  get counters(): ReadCounters {
    return { items: this.items, bytes: this.#bytes, currentItem: this.#path && displayPath(this.#path) };
  }

  *sync(entries: Iterable<SourceEntry>): Generator<SourceEntry> {
    for (const entry of entries) yield this.#watch(entry);
  }

  async *async(entries: AsyncIterable<SourceEntry>): AsyncGenerator<SourceEntry> {
    for await (const entry of entries) yield this.#watch(entry);
  }

  #watch(entry: SourceEntry): SourceEntry {
    this.#path = entry.path;
    if (!entry.content) return entry;
    return { ...entry, content: entry.content.kind === 'sync' ? this.#count(entry.content) : this.#tap(entry.content) };
  }

  #count(content: SyncContent): SyncContent {
    return {
      ...content,
      read: (target, offset, length, position) => {
        const count = content.read(target, offset, length, position);
        this.#bytes += count;
        return count;
      },
    };
  }

  #tap(content: StreamContent): StreamContent {
    const countChunk = (count: number) => {
      this.#bytes += count;
    };
    async function* pass() {
      for await (const chunk of content.stream) {
        countChunk(chunk.byteLength);
        yield chunk;
      }
    }
    return { ...content, stream: pass() };
  }
}
