/**
 * The threads of one backup and what flows between them: the reading thread fills slots with new blobs, sealing threads
 * compress and seal them in place, this thread copies them into packs and stores those.
 *
 * Memory: `slots` × 8.25 MiB, 48 MiB of packs (`pack-writer.ts`), the index.
 */
import { AppError } from '@backupx/contracts/errors';
import type { ItemProblem } from '@backupx/contracts/jobs';
import { cancelledError } from '../../ports/pull-body.ts';
import type { SourceTotals } from '../../ports/source.ts';
import { unpackError } from '../../ports/thread-error.ts';
import type { BlobReader } from '../blob-reader.ts';
import { ID_BYTES } from '../format/blob-id.ts';
import type { MasterKey } from '../format/master-key.ts';
import type { PackWriter } from '../pack-writer.ts';
import { lengthOfParts, type TreePart } from '../tree-part.ts';
import type { BackupCounters, FilledSlot, FromReader, LargeBlob, ReaderStart } from './messages.ts';
import { readParentTree } from './read-parent-tree.ts';
import type { ReadingThread } from './reading-thread.ts';
import { SealerPool } from './sealer-pool.ts';
import { BLOB_LEAD, BLOB_ROW, buffersOf } from './slot-memory.ts';

/** Parent trees sent at once end when they are this large. */
const ANSWER_BYTES = 1024 * 1024;

export interface BackupEvents {
  onProblem(problem: ItemProblem): void;
  onLog(level: 'info' | 'warn', message: string): void;
  onTotals(totals: SourceTotals): void;
  onProgress(counters: Readonly<BackupCounters>): void;
}

export interface PipelineOptions {
  readonly reading: ReadingThread;
  readonly masterKey: MasterKey;
  /** Sealing threads. */
  readonly parallelism: number;
  readonly events: BackupEvents;
  readonly signal: AbortSignal;
}

export interface PipelineStart extends ReaderStart {
  /** Null: nothing is stored (dry run). */
  readonly writer: PackWriter | null;
  /** Reads the parent's trees. */
  readonly blobs: BlobReader;
}

export interface PipelineResult {
  readonly tree: Uint8Array;
  readonly counters: BackupCounters;
}

/** See above. `close` ends it in every case, but not the reading thread. */
export class BackupPipeline {
  readonly #options: PipelineOptions;
  readonly #reading: ReadingThread;
  readonly #sealers: SealerPool;
  readonly #work = new Set<Promise<void>>();
  #writing: Promise<void> = Promise.resolve();
  #memory: Uint8Array = new Uint8Array(0);
  #fail: (error: unknown) => void = () => {};

  constructor(options: PipelineOptions) {
    this.#options = options;
    const { reading, masterKey, parallelism } = options;
    this.#reading = reading;
    this.#sealers = new SealerPool({ count: parallelism, masterKey });
  }

  /** Runs the backup up to the last pack handed to the writer; the caller finishes the writer. */
  async run({ writer, blobs, ...start }: PipelineStart): Promise<PipelineResult> {
    const { signal } = this.#options;
    const result = await new Promise<PipelineResult>((resolve, reject) => {
      this.#fail = reject;
      const onAbort = () => reject(cancelledError(signal));
      if (signal.aborted) onAbort();
      signal.addEventListener('abort', onAbort, { once: true });
      this.#reading.start(start, {
        onEnd: reject,
        onMessage: (message) => {
          if (message.type === 'done') resolve(message);
          else this.#handle(message, { writer, blobs });
        },
      });
    });
    await Promise.race([
      Promise.all(this.#work).then(() => this.#writing),
      new Promise<never>((_, reject) => {
        this.#fail = reject;
      }),
    ]);
    return result;
  }

  /** Ends the sealing threads and stops the reading; idempotent. */
  async close(): Promise<void> {
    this.#reading.control.abort();
    await this.#sealers.close();
  }

  #handle(message: Exclude<FromReader, { type: 'done' }>, parts: Pick<PipelineStart, 'writer' | 'blobs'>): void {
    const { events } = this.#options;
    if (message.type === 'memory') this.#useMemory(message.memory);
    else if (message.type === 'slot') this.#track(this.#storeSlot(message.filled, parts.writer));
    else if (message.type === 'large') this.#track(this.#storeLarge(message.blob, parts.writer));
    else if (message.type === 'trees') void this.#answerTrees(message.ids, parts.blobs);
    else if (message.type === 'progress') events.onProgress(message.counters);
    else if (message.type === 'problem') events.onProblem(message.problem);
    else if (message.type === 'log') events.onLog(message.level, message.message);
    else if (message.type === 'totals') events.onTotals(message.totals);
    else this.#fail(unpackError(message.error));
  }

  #useMemory(memory: SharedArrayBuffer): void {
    this.#memory = new Uint8Array(memory);
    this.#sealers.useMemory(memory);
  }

  #track(work: Promise<void>): void {
    const tracked: Promise<void> = work
      .catch((error: unknown) => this.#fail(error))
      .finally(() => this.#work.delete(tracked));
    this.#work.add(tracked);
  }

  async #storeSlot({ slot, rows, ids }: FilledSlot, writer: PackWriter | null): Promise<void> {
    if (writer && rows.length > 0) {
      const lengths = await this.#sealers.sealSlot(rows);
      await this.#inTurn(() => this.#addAll(writer, { rows, ids, lengths }));
    }
    this.#reading.control.free(slot);
  }

  async #addAll(
    writer: PackWriter,
    sealed: { rows: Uint32Array; ids: Uint8Array; lengths: Uint32Array },
  ): Promise<void> {
    const { rows, ids, lengths } = sealed;
    for (let blob = 0; blob * BLOB_ROW < rows.length; blob += 1) {
      const at = (rows[blob * BLOB_ROW] ?? 0) - BLOB_LEAD;
      const adding = writer.add({
        type: rows[blob * BLOB_ROW + 2] === 1 ? 'tree' : 'data',
        id: ids.subarray(blob * ID_BYTES, (blob + 1) * ID_BYTES),
        sealed: this.#memory.subarray(at, at + (lengths[blob * 2] ?? 0)),
        plainLength: lengths[blob * 2 + 1] ?? 0,
      });
      if (adding) await adding;
    }
  }

  async #storeLarge({ id, parts }: LargeBlob, writer: PackWriter | null): Promise<void> {
    if (!writer) return;
    const { sealed, plainLength } = await this.#sealers.sealLarge(parts);
    await this.#inTurn(async () => {
      await writer.add({ type: 'tree', id, sealed, plainLength });
    });
  }

  /** The writer takes one slot after the other. */
  #inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.#writing.then(work);
    this.#writing = turn.catch(() => {});
    return turn;
  }

  async #answerTrees(ids: Uint8Array, blobs: BlobReader): Promise<void> {
    const trees: (readonly TreePart[] | null)[] = [];
    let bytes = 0;
    try {
      for (let at = 0; at < ids.byteLength && bytes < ANSWER_BYTES; at += ID_BYTES) {
        const tree = await this.#readTree(ids.subarray(at, at + ID_BYTES), blobs);
        trees.push(tree);
        bytes += tree ? lengthOfParts(tree) : 0;
      }
    } catch (error) {
      this.#fail(error);
      return;
    }
    // Given away, not copied.
    const buffers = trees.flatMap((parts) => buffersOf((parts ?? []).map((part) => part.bytes)));
    this.#reading.answer({ trees }, buffers);
  }

  async #readTree(id: Uint8Array, blobs: BlobReader): Promise<readonly TreePart[] | null> {
    try {
      return await readParentTree(blobs, id);
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'REPOSITORY_DAMAGED') throw error;
      this.#options.events.onLog('warn', `${error.message} What it lists is read anew.`);
      return null;
    }
  }
}
