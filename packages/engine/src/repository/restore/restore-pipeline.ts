/**
 * Fetches stretches of packs, several at once, has the blobs in them opened and verified, and writes each to the files
 * it belongs to. Memory is bounded by the slots: sealed bytes wait in one kind, verified content in the other.
 */
import { AppError } from '@backupx/contracts/errors';
import { throwIfCancelled } from '../../ports/pull-body.ts';
import type { BlobIndex } from '../blob-index.ts';
import type { BlobReader } from '../blob-reader.ts';
import { fetchRange } from '../fetch-range.ts';
import { ID_BYTES, toHex } from '../format/blob-id.ts';
import type { Repository } from '../open-repository.ts';
import { DECODE_ROW, type DecodeTask } from './decode-blobs.ts';
import { createLocalDecoder, createThreadDecoder, type DecodePool } from './decode-pool.ts';
import { MAX_REQUEST_BYTES, type NeededBlob, type PackRequest } from './plan-requests.ts';
import type { PendingFile, RestoreFiles } from './restore-files.ts';
import { type Slot, SlotPool } from './slot-pool.ts';
import { isLoss } from './tree-source.ts';

const FETCHES_AT_ONCE = 4;
/** A chunk is 8 MiB at most; sealed it may be a little longer. */
const SLOT_BYTES = MAX_REQUEST_BYTES + 256 * 1024;
/** Content that is written at once; a single blob may be larger. */
const TASK_BYTES = 1024 * 1024;
/** Less than this is decoded sooner than threads are started. */
const LOCAL_BYTES = 4 * 1024 * 1024;
/** So many failures in a row are no damage: the storage does not work. */
const MAX_FAILURES_IN_A_ROW = 8;

type Blob = NeededBlob<PendingFile>;
type Request = PackRequest<PendingFile>;

export interface PipelineOptions {
  readonly repository: Repository;
  readonly index: BlobIndex;
  readonly reader: BlobReader;
  readonly files: RestoreFiles;
  readonly signal: AbortSignal;
  readonly threads: number;
  /** Hears of bytes read from the storage. */
  onFetched(bytes: number): void;
}

export class RestorePipeline {
  readonly #options: PipelineOptions;
  readonly #memory: SharedArrayBuffer;
  readonly #sealedSlots: SlotPool;
  readonly #plainSlots: SlotPool;
  readonly #running = new Set<Promise<void>>();
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  #decoder: DecodePool | null = null;
  #failure: unknown = null;
  #failuresInARow = 0;

  constructor(options: PipelineOptions) {
    this.#options = options;
    const sealed = { count: FETCHES_AT_ONCE, slotBytes: SLOT_BYTES };
    const plain = { count: options.threads + 1, slotBytes: SLOT_BYTES };
    // Only what is touched takes up memory.
    this.#memory = new SharedArrayBuffer((sealed.count + plain.count) * SLOT_BYTES);
    this.#sealedSlots = new SlotPool(this.#memory, 0, sealed);
    this.#plainSlots = new SlotPool(this.#memory, sealed.count * SLOT_BYTES, plain);
    this.#signal = AbortSignal.any([options.signal, this.#stop.signal]);
  }

  /** Starts the requests in their order; returns when the last one has been started. Throws what made others fail. */
  async submit(requests: readonly Request[]): Promise<void> {
    this.#decoder ??= this.#createDecoder(requests);
    for (const request of requests) {
      const sealed = await this.#sealedSlots.take();
      this.#throwIfFailed();
      const work = this.#run(request, sealed)
        .catch((error: unknown) => this.#fail(error))
        .finally(() => {
          this.#sealedSlots.give(sealed);
          this.#running.delete(work);
        });
      this.#running.add(work);
    }
  }

  #createDecoder(requests: readonly Request[]): DecodePool {
    const { repository, threads } = this.#options;
    const sealedBytes = requests.reduce((sum, { start, end }) => sum + end - start, 0);
    const data = { masterKey: repository.masterKey, memory: this.#memory };
    return sealedBytes < LOCAL_BYTES ? createLocalDecoder(data) : createThreadDecoder(data, threads);
  }

  /** Waits for everything that was started. Throws what made it fail. */
  async drain(): Promise<void> {
    await Promise.all(this.#running);
    this.#throwIfFailed();
  }

  /** Stops what still runs and ends the threads; idempotent. */
  async close(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#running);
    await this.#decoder?.close();
    this.#decoder = null;
  }

  #fail(error: unknown): void {
    this.#failure ??= error;
    this.#stop.abort();
  }

  #throwIfFailed(): void {
    throwIfCancelled(this.#options.signal);
    if (this.#failure !== null) throw this.#failure;
  }

  async #run(request: Request, slot: Slot): Promise<void> {
    const { index } = this.#options;
    const fitting: Blob[] = [];
    for (const blob of request.blobs) {
      if (isTooLarge(blob, index)) await this.#readAlone(blob);
      else fitting.push(blob);
    }
    if (fitting.length === 0) return;
    const { fetched, missing } = await this.#fetch(request, slot.bytes);
    const isThere = (blob: Blob) => blob.offset + blob.storedLength - request.start <= fetched;
    const tasks = splitBySize(fitting.filter(isThere), index);
    await Promise.all(tasks.map((blobs) => this.#decode(blobs, slot.offset - request.start)));
    for (const blob of fitting) {
      if (isThere(blob)) continue;
      // A missing pack may hold thousands of blobs: it is asked for once.
      if (missing === null || this.#hasOtherCopy(blob)) await this.#readAlone(blob);
      else await this.#lose(blob, missing);
    }
  }

  /** Answers the bytes read; a pack that cannot be read counts as empty, one that is not there also as `missing`. */
  async #fetch(request: Request, target: Uint8Array): Promise<{ fetched: number; missing: AppError | null }> {
    const { repository, index, onFetched } = this.#options;
    const { start, end } = request;
    const pack = toHex(index.packId(request.packNumber));
    const key = repository.key('data', pack);
    try {
      const fetched = await fetchRange(repository.place.storage, { key, start, end }, target, this.#signal);
      this.#failuresInARow = 0;
      onFetched(fetched);
      return { fetched, missing: null };
    } catch (error) {
      throwIfCancelled(this.#signal);
      if (!isLoss(error)) throw error;
      if (error.code !== 'STORAGE_NOT_FOUND') this.#failuresInARow += 1;
      if (this.#failuresInARow >= MAX_FAILURES_IN_A_ROW) throw error;
      if (error.code !== 'STORAGE_NOT_FOUND') return { fetched: 0, missing: null };
      return { fetched: 0, missing: damaged(`pack ${pack} is missing`) };
    }
  }

  #hasOtherCopy({ entry }: Blob): boolean {
    const { index } = this.#options;
    return index.nextSame(index.find(index.idOf(entry), 'data')) >= 0;
  }

  /** `packAt`: where the beginning of the pack would lie in the memory. */
  async #decode(blobs: readonly Blob[], packAt: number): Promise<void> {
    const { index } = this.#options;
    const plain = await this.#plainSlots.take();
    try {
      throwIfCancelled(this.#signal);
      if (!this.#decoder) return;
      const isGood = await this.#decoder.decode(describe(blobs, index, { packAt, plainAt: plain.offset }));
      throwIfCancelled(this.#signal);
      let at = 0;
      let number = 0;
      for (const blob of blobs) {
        const size = index.plainSizeOf(blob.entry);
        const isWell = isGood[number] === 1;
        const wait = isWell ? this.#deliver(blob, plain.bytes.subarray(at, at + size)) : this.#readAlone(blob);
        if (wait) await wait;
        at += size;
        number += 1;
      }
    } finally {
      this.#plainSlots.give(plain);
    }
  }

  /** Writes the content of a blob wherever it belongs. */
  #deliver({ targets }: Blob, bytes: Uint8Array): Promise<unknown> | null {
    const { files } = this.#options;
    let waits: Promise<void>[] | null = null;
    for (const { file: pending, position } of targets) {
      if (pending.state === 'open') pending.file.writeAt(bytes, position);
      const wait = files.pieceDone(pending);
      if (!wait) continue;
      waits ??= [];
      waits.push(wait);
    }
    return waits && Promise.all(waits);
  }

  /** Another try at a blob, and at its other copies; what is lost then is lost for its files. */
  async #readAlone(blob: Blob): Promise<void> {
    const { index, reader } = this.#options;
    throwIfCancelled(this.#signal);
    if (blob.targets.every(({ file }) => file.state !== 'open')) return;
    try {
      const id = index.idOf(blob.entry);
      const bytes = await reader.read(id, 'data');
      if (bytes.byteLength !== index.plainSizeOf(blob.entry)) {
        throw damaged(`data blob ${toHex(id)} is not as long as the index says`);
      }
      await this.#deliver(blob, bytes);
    } catch (error) {
      throwIfCancelled(this.#signal);
      if (!isLoss(error)) throw error;
      await this.#lose(blob, error);
    }
  }

  async #lose({ targets }: Blob, error: AppError): Promise<void> {
    const message = `its content is lost: ${lossText(error)}`;
    for (const { file } of targets) await this.#options.files.lose(file, message);
  }
}

/** `packAt`: where the beginning of the pack would lie in the memory; `plainAt`: where the content goes. */
function describe(
  blobs: readonly Blob[],
  index: BlobIndex,
  { packAt, plainAt }: { packAt: number; plainAt: number },
): DecodeTask {
  const rows = new Uint32Array(blobs.length * DECODE_ROW);
  const ids = new Uint8Array(blobs.length * ID_BYTES);
  let row = 0;
  let idAt = 0;
  let at = plainAt;
  for (const { entry, offset, storedLength } of blobs) {
    rows[row] = packAt + offset;
    rows[row + 1] = storedLength;
    rows[row + 2] = index.plainLengthOf(entry);
    rows[row + 3] = at;
    ids.set(index.idOf(entry), idAt);
    row += DECODE_ROW;
    idAt += ID_BYTES;
    at += index.plainSizeOf(entry);
  }
  return { rows, ids };
}

function damaged(reason: string): AppError {
  return new AppError('REPOSITORY_DAMAGED', { reason });
}

function lossText(error: AppError): string {
  return error.code === 'REPOSITORY_DAMAGED' ? String(error.params.reason) : error.message;
}

/** Of a blob that compresses well only the content may be too large for a slot; it may lie among smaller ones. */
function isTooLarge({ entry, storedLength }: Blob, index: BlobIndex): boolean {
  return storedLength > MAX_REQUEST_BYTES || index.plainSizeOf(entry) > SLOT_BYTES;
}

/** Groups of neighbours whose content is a few MiB at most. */
function splitBySize(blobs: readonly Blob[], index: BlobIndex): Blob[][] {
  const groups: Blob[][] = [];
  let size = Number.POSITIVE_INFINITY;
  for (const blob of blobs) {
    const plainSize = index.plainSizeOf(blob.entry);
    if (size + plainSize > TASK_BYTES) {
      groups.push([]);
      size = 0;
    }
    groups.at(-1)?.push(blob);
    size += plainSize;
  }
  return groups;
}
