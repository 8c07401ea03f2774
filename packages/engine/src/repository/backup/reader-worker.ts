/**
 * Entry of the thread that reads a source for a repository: it walks, reads, cuts, names and compares with the parent
 * snapshot, with synchronous calls. It waits for free slots and for the parent's trees without an event loop.
 */
import { type MessagePort, parentPort, receiveMessageOnPort } from 'node:worker_threads';
import { AppError } from '@backupx/contracts/errors';
import { systemClock } from '../../ports/clock.ts';
import type { BackupContext, SourceReader, SourceReaders } from '../../ports/source.ts';
import { threadData } from '../../ports/start-thread.ts';
import { packError } from '../../ports/thread-error.ts';
import { TotalsCount } from '../../ports/totals-count.ts';
import { BlobLookup } from '../blob-index.ts';
import { toHex } from '../format/blob-id.ts';
import { lengthOfParts, type TreePart } from '../tree-part.ts';
import { CHUNKER_RESERVED_BYTES, createChunker } from '../wasm/chunker.ts';
import { BlobIdSet } from './blob-id-set.ts';
import { ContentCutter } from './content-cutter.ts';
import { EntryRecorder } from './entry-recorder.ts';
import type { FromReader, ReaderData, ReaderStart, ToReader } from './messages.ts';
import { ParentWalk } from './parent-walk.ts';
import { BLOB_ROW, buffersOf, SLOT_BYTES, SlotControl } from './slot-memory.ts';

const PROGRESS_MS = 250;
/** How long the totals are counted at a time while there is nothing else to do. */
const COUNT_WAITING_MS = 10;

const data = threadData<ReaderData>();
const send = (message: FromReader, transfer: ArrayBuffer[] = []) => parentPort?.postMessage(message, transfer);

class Reading {
  readonly #control = new SlotControl(data.control);
  readonly #known: BlobLookup;
  readonly #start: ReaderStart;
  readonly #newData = new BlobIdSet();
  readonly #newTrees = new BlobIdSet();
  readonly #recorder: EntryRecorder;
  readonly #totals: TotalsCount;
  readonly #port: MessagePort;
  #fetched = new Map<string, readonly TreePart[] | null>();
  #lastProgressMs = 0;

  constructor(source: SourceReader, port: MessagePort, start: ReaderStart) {
    this.#port = port;
    this.#start = start;
    this.#known = new BlobLookup(start.knownBlobs);
    const memoryBytes = CHUNKER_RESERVED_BYTES + this.#control.slotCount * SLOT_BYTES;
    const chunker = createChunker({ polynomial: start.polynomial, memoryBytes });
    send({ type: 'memory', memory: chunker.memory.buffer as SharedArrayBuffer });
    const steps = start.wantsTotals ? source.countTotals?.(data.source.config) : undefined;
    this.#totals = new TotalsCount(steps, (totals) => send({ type: 'totals', totals }));
    const cutter = new ContentCutter({
      chunker,
      slotStart: (slot) => CHUNKER_RESERVED_BYTES + slot * SLOT_BYTES,
      takeSlot: () => this.#takeSlot(),
      isNew: (id, isTree) => this.#isNew(id, isTree),
      sendSlot: (slot, rows, ids) => this.#sendSlot(slot, rows, ids),
      sendLarge: (id, parts) => this.#sendLarge(id, parts),
    });
    this.#recorder = new EntryRecorder({
      cutter,
      parent: new ParentWalk(start.parentTree, (id, coming) => this.#fetchTree(id, coming)),
      isKnown: (id) => this.#known.has(id, 'data'),
      isKnownTree: (id) => this.#known.has(id, 'tree'),
      onProblem: (problem) => send({ type: 'problem', problem }),
      onTick: () => this.#tick(),
    });
  }

  async run(source: SourceReader): Promise<void> {
    const { config } = data.source;
    for (const ancestor of source.ancestors?.(config) ?? []) this.#recorder.addAncestor(ancestor);
    const entries = source.entries(config, this.#context());
    if (Symbol.iterator in entries) {
      for (const entry of entries) {
        if (entry.content?.kind === 'stream') await this.#recorder.addStream(entry, entry.content);
        else this.#recorder.addSync(entry);
      }
    } else {
      for await (const entry of entries) {
        if (entry.content?.kind === 'stream') await this.#recorder.addStream(entry, entry.content);
        else this.#recorder.addSync(entry);
      }
    }
    const tree = Uint8Array.from(this.#recorder.finish());
    send({ type: 'done', tree, counters: this.#recorder.snapshotCounters() });
  }

  #context(): BackupContext {
    const { takeUnchanged, isUnchanged } = this.#recorder;
    return {
      signal: new AbortController().signal,
      tempDir: data.tempDir,
      problem: (problem) => send({ type: 'problem', problem }),
      log: (level, message) => send({ type: 'log', level, message }),
      ...(this.#start.parentTree ? { takeUnchanged, isUnchanged } : {}),
      wantsSegments: false,
      wantsLinkAttributes: true,
    };
  }

  #isNew(id: Uint8Array, isTree: boolean): boolean {
    if (this.#known.has(id, isTree ? 'tree' : 'data')) return false;
    return (isTree ? this.#newTrees : this.#newData).add(id);
  }

  #takeSlot(): number {
    while (!this.#totals.isDone) {
      const slot = this.#control.take();
      if (slot >= 0) return slot;
      this.#assertNotAborted();
      this.#totals.work(COUNT_WAITING_MS);
    }
    const slot = this.#control.takeOrWait();
    if (slot < 0) throw new AppError('CANCELLED');
    return slot;
  }

  #sendSlot(slot: number, rows: Uint32Array, ids: Uint8Array): void {
    this.#assertNotAborted();
    const { counters } = this.#recorder;
    for (let row = 0; row < rows.length; row += BLOB_ROW) {
      counters.bytesAdded += rows[row + 1] ?? 0;
      if (rows[row + 2] === 1) counters.treeBlobs += 1;
      else counters.dataBlobs += 1;
    }
    send({ type: 'slot', filled: { slot, rows, ids } });
  }

  #sendLarge(id: Uint8Array, parts: readonly TreePart[]): void {
    this.#recorder.counters.treeBlobs += 1;
    this.#recorder.counters.bytesAdded += lengthOfParts(parts);
    // Given away as they are, but for those that share their memory with others.
    const own = parts.map((part) =>
      part.bytes.byteLength === part.bytes.buffer.byteLength ? part : { ...part, bytes: Uint8Array.from(part.bytes) },
    );
    const buffers = buffersOf(own.map(({ bytes }) => bytes));
    send({ type: 'large', blob: { id: Uint8Array.from(id), parts: own } }, buffers);
  }

  /** Trees that came along with another are kept until their turn, as long as the next answer. */
  #fetchTree(id: Uint8Array, coming: () => readonly Uint8Array[]): readonly TreePart[] | null {
    const key = toHex(id);
    let tree = this.#fetched.get(key);
    if (tree === undefined) {
      const ids = coming();
      send({ type: 'trees', ids: new Uint8Array(Buffer.concat(ids)) });
      const { trees } = this.#waitForAnswer();
      this.#fetched = new Map(trees.map((parts, index) => [toHex(ids[index] ?? new Uint8Array(0)), parts]));
      tree = this.#fetched.get(key) ?? null;
    }
    this.#fetched.delete(key);
    return tree;
  }

  #waitForAnswer(): ToReader {
    for (;;) {
      const seen = this.#control.answers;
      const answer = receiveMessageOnPort(this.#port) as { message: ToReader } | undefined;
      if (answer) return answer.message;
      this.#assertNotAborted();
      this.#control.waitForAnswer(seen);
    }
  }

  #tick(): void {
    const nowMs = systemClock.monotonicMs();
    if (nowMs - this.#lastProgressMs < PROGRESS_MS) return;
    this.#assertNotAborted();
    this.#lastProgressMs = nowMs;
    send({ type: 'progress', counters: this.#recorder.snapshotCounters() });
  }

  #assertNotAborted(): void {
    if (this.#control.isAborted) throw new AppError('CANCELLED');
  }
}

async function main(): Promise<void> {
  try {
    if (!parentPort) throw new Error('this module is a thread');
    const { sourceReaders } = (await import(data.readersUrl)) as { sourceReaders: SourceReaders };
    const source = sourceReaders[data.source.type];
    const known = Object.keys(sourceReaders).join(', ');
    if (!source) throw new AppError('SOURCE_TYPE_UNKNOWN', { type: data.source.type, known });
    const port = parentPort;
    const start = await new Promise<ReaderStart>((resolve) => {
      port.once('message', resolve);
    });
    await new Reading(source, port, start).run(source);
  } catch (error) {
    send({ type: 'error', error: packError(error) });
  } finally {
    parentPort?.close();
  }
}

await main();
