/** Opens and verifies the blobs in parts of packs: in this thread, or in several where there is much to do. */

import type { BlobIndex } from '../blob-index.ts';
import { openBlob } from '../blob-reader.ts';
import { ID_BYTES } from '../format/blob-id.ts';
import type { SealedBox } from '../format/sealed-box.ts';
import { verifyOpened } from '../large-tree.ts';
import type { Repository } from '../open-repository.ts';
import { DECODE_ROW } from '../restore/decode-blobs.ts';
import { createThreadDecoder, type DecodePool } from '../restore/decode-pool.ts';

/** Bytes of a pack and the entries that lie in them. */
export interface BlobsToVerify {
  /** Offset of the first byte in the pack. */
  readonly start: number;
  /** Shorter than it should be when the pack ends early. */
  readonly bytes: Buffer;
  readonly entries: readonly number[];
}

export interface BlobVerifier {
  /** Waits until there is room; then `done` will answer the entries that are damaged. The bytes are not used after that. */
  begin(part: BlobsToVerify): Promise<{ readonly done: Promise<number[]> }>;
  close(): Promise<void>;
}

export interface VerifierOptions {
  readonly repository: Pick<Repository, 'box' | 'masterKey'>;
  readonly index: BlobIndex;
  /** At least 1. */
  readonly threads: number;
}

/** In this thread. */
export function createLocalVerifier({ repository, index }: VerifierOptions): BlobVerifier {
  return {
    async begin(part) {
      const bad: number[] = [];
      for (const entry of part.entries)
        if (!(await isWholeBlob(repository.box, index, { part, entry }))) bad.push(entry);
      return { done: Promise.resolve(bad) };
    },
    async close() {},
  };
}

/** In threads of their own, with so many parts in memory as there are threads and one more. */
export function createThreadVerifier(options: VerifierOptions): BlobVerifier {
  return new ThreadVerifier(options);
}

async function isWholeBlob(
  box: SealedBox,
  index: BlobIndex,
  { part, entry }: { readonly part: BlobsToVerify; readonly entry: number },
): Promise<boolean> {
  const at = index.offsetOf(entry) - part.start;
  const sealed = part.bytes.subarray(Math.max(0, at), Math.max(0, at + index.storedLengthOf(entry)));
  if (at < 0 || sealed.byteLength !== index.storedLengthOf(entry)) return false;
  const blob = { id: index.idOf(entry), sealed, plainLength: index.plainLengthOf(entry) };
  try {
    // The list of a huge folder would not fit into memory as a whole.
    if (blob.plainLength > PLAIN_BYTES) await verifyOpened(box.open(sealed), blob);
    else openBlob(box, blob);
    return true;
  } catch {
    return false;
  }
}

const SEALED_BYTES = 16 * 1024 * 1024;
/** Room for the content of one blob at a time. */
const PLAIN_BYTES = 8 * 1024 * 1024 + 4096;
const SLOT_BYTES = SEALED_BYTES + PLAIN_BYTES;

class ThreadVerifier implements BlobVerifier {
  readonly #options: VerifierOptions;
  readonly #memory: Uint8Array;
  readonly #decoder: DecodePool;
  readonly #freeSlots: number[];
  readonly #waiting: ((slot: number) => void)[] = [];

  constructor(options: VerifierOptions) {
    const { repository, threads } = options;
    this.#options = options;
    this.#freeSlots = Array.from({ length: threads + 1 }, (_, slot) => slot);
    const memory = new SharedArrayBuffer(this.#freeSlots.length * SLOT_BYTES);
    this.#memory = new Uint8Array(memory);
    this.#decoder = createThreadDecoder({ masterKey: repository.masterKey, memory }, threads);
  }

  async begin(part: BlobsToVerify) {
    const { index, repository } = this.#options;
    const small: number[] = [];
    const bad: number[] = [];
    for (const entry of part.entries) {
      // What finds no room in a slot: lists of huge folders, and whatever is not as it should be.
      if (part.bytes.byteLength <= SEALED_BYTES && this.#fits(part, entry)) small.push(entry);
      else if (!(await isWholeBlob(repository.box, index, { part, entry }))) bad.push(entry);
    }
    if (small.length === 0) return { done: Promise.resolve(bad) };
    const slot = await this.#takeSlot();
    this.#memory.set(part.bytes, slot * SLOT_BYTES);
    const decoded = this.#decoder.decode(this.#taskOf(part.start, small, slot * SLOT_BYTES));
    const done = decoded.then((isGood) => [...bad, ...small.filter((_, at) => isGood[at] !== 1)]);
    return { done: done.finally(() => this.#freeSlot(slot)) };
  }

  async close(): Promise<void> {
    await this.#decoder.close();
  }

  #fits({ start, bytes }: BlobsToVerify, entry: number): boolean {
    const { index } = this.#options;
    const at = index.offsetOf(entry) - start;
    const isInside = at >= 0 && at + index.storedLengthOf(entry) <= bytes.byteLength;
    return isInside && index.plainSizeOf(entry) >= 0 && index.plainSizeOf(entry) <= PLAIN_BYTES;
  }

  #taskOf(start: number, entries: readonly number[], slotAt: number) {
    const { index } = this.#options;
    const rows = new Uint32Array(entries.length * DECODE_ROW);
    const ids = new Uint8Array(entries.length * ID_BYTES);
    for (const [number, entry] of entries.entries()) {
      const sealedAt = slotAt + index.offsetOf(entry) - start;
      const row = [sealedAt, index.storedLengthOf(entry), index.plainLengthOf(entry), slotAt + SEALED_BYTES];
      rows.set(row, number * DECODE_ROW);
      ids.set(index.idOf(entry), number * ID_BYTES);
    }
    return { rows, ids };
  }

  async #takeSlot(): Promise<number> {
    return this.#freeSlots.pop() ?? (await new Promise<number>((resolve) => this.#waiting.push(resolve)));
  }

  #freeSlot(slot: number): void {
    const next = this.#waiting.shift();
    if (next) next(slot);
    else this.#freeSlots.push(slot);
  }
}
