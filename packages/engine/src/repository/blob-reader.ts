/**
 * Reads single blobs through the index. Trees and small blobs lie close together, so they are read in windows of
 * 1 MiB that are kept for a while; a walk through a snapshot then costs a request per window, not per folder.
 */
import { AppError } from '@backupx/contracts/errors';
import { isOutage } from '../ports/is-outage.ts';
import type { BlobIndex, BlobType } from './blob-index.ts';
import { hashOf, toHex } from './format/blob-id.ts';
import { parseTree } from './format/parse-tree.ts';
import type { SealedBox } from './format/sealed-box.ts';
import type { TreeNode } from './format/tree-node.ts';
import { decompress } from './format/zstd.ts';
import { LARGE_TREE_BYTES, type LargeTree, mapLargeTree, openLargeTree } from './large-tree.ts';
import type { Repository } from './open-repository.ts';

const WINDOW_BYTES = 1024 * 1024;
/** Larger blobs are read alone. */
const WINDOWED_BYTES = 256 * 1024;
const DEFAULT_CACHE_BYTES = 32 * 1024 * 1024;

export interface BlobReader {
  /** Content of a blob, verified. Throws REPOSITORY_DAMAGED, which names blob and pack. */
  read(id: Uint8Array, type: BlobType): Promise<Buffer>;
  readTree(id: Uint8Array): Promise<TreeNode[]>;
  /**
   * A tree in one or more pieces, each a tree by itself of a few MiB at most where the whole is written as usual; verified
   * before the first. Throws as `read`.
   */
  treePieces(id: Uint8Array): AsyncGenerator<Buffer>;
  /** A tree that is too long to lie in memory as a whole, verified. Throws as `read`. */
  openLargeTree(id: Uint8Array): Promise<LargeTree>;
  /** What `use` makes of each piece of such a tree: `LargeTree.pieces`. Throws as `read`. */
  mapLargeTree<T>(id: Uint8Array, use: (piece: Buffer) => T): Promise<T[]>;
  /** Number of its first entry in the index; -1 when it is in none. */
  find(id: Uint8Array, type: BlobType): number;
  /** Bytes of its content as the index has them; 0 when it is in no index. */
  sizeOf(id: Uint8Array, type: BlobType): number;
}

export interface BlobReaderOptions {
  readonly repository: Repository;
  readonly index: BlobIndex;
  readonly signal: AbortSignal;
  /** Memory for windows; default 32 MiB. */
  readonly cacheBytes?: number;
}

/** What is needed to open one blob. */
export interface BlobToOpen {
  readonly id: Uint8Array;
  readonly sealed: Uint8Array;
  /** Length before compression; 0: not compressed. */
  readonly plainLength: number;
}

/** Opens, decompresses and verifies a blob. Throws REPOSITORY_DAMAGED. */
export function openBlob(box: SealedBox, { id, sealed, plainLength }: BlobToOpen): Buffer {
  const opened = box.open(sealed);
  const plain = plainLength > 0 ? decompress(opened, plainLength) : opened;
  if (!hashOf(plain).equals(id)) throw damaged(`blob ${toHex(id)} is not what its name says`);
  return plain;
}

function damaged(reason: string, cause?: unknown): AppError {
  return new AppError('REPOSITORY_DAMAGED', { reason }, { cause });
}

/** A reader with a cache of its own. */
export function createBlobReader(options: BlobReaderOptions): BlobReader {
  const windows = new WindowCache(options);
  const { index, repository, signal } = options;
  const readWith = async <T>(id: Uint8Array, type: BlobType, use: (blob: BlobToOpen) => T | Promise<T>): Promise<T> => {
    const first = index.find(id, type);
    if (first < 0) throw damaged(`${type} blob ${toHex(id)} is in no index`);
    let failure: unknown = null;
    for (let entry = first; entry >= 0; entry = index.nextSame(entry)) {
      const pack = toHex(index.packId(index.packOf(entry)));
      try {
        const range = { start: index.offsetOf(entry), length: index.storedLengthOf(entry) };
        const sealed = await windows.read(pack, range);
        return await use({ id, sealed, plainLength: index.plainLengthOf(entry) });
      } catch (error) {
        signal.throwIfAborted();
        // The other copies are as far away: each would be waited for anew.
        if (isOutage(error)) throw error;
        failure ??= explain(error, { pack, id, type });
      }
    }
    throw failure;
  };
  const read: BlobReader['read'] = (id, type) => readWith(id, type, (blob) => openBlob(repository.box, blob));
  const openLarge: BlobReader['openLargeTree'] = (id) =>
    readWith(id, 'tree', (blob) => openLargeTree(blob, repository.box));
  const sizeOf: BlobReader['sizeOf'] = (id, type) => {
    const entry = index.find(id, type);
    return entry < 0 ? 0 : index.plainSizeOf(entry);
  };
  return {
    read,
    sizeOf,
    find: (id, type) => index.find(id, type),
    treePieces: (id) => treePieces({ read, sizeOf, openLargeTree: openLarge }, id),
    openLargeTree: openLarge,
    mapLargeTree: (id, use) => readWith(id, 'tree', (blob) => mapLargeTree(blob, repository.box, use)),
    readTree: async (id) => parseTree(await read(id, 'tree')),
  };
}

/** See `BlobReader.treePieces`. */
export async function* treePieces(
  reader: Pick<BlobReader, 'read' | 'sizeOf' | 'openLargeTree'>,
  id: Uint8Array,
): AsyncGenerator<Buffer> {
  if (reader.sizeOf(id, 'tree') <= LARGE_TREE_BYTES) yield await reader.read(id, 'tree');
  else yield* (await reader.openLargeTree(id)).trees();
}

/** Damage and loss name blob and pack; that the storage is out of reach stays what it is. */
function explain(error: unknown, blob: { pack: string; id: Uint8Array; type: BlobType }): unknown {
  if (!(error instanceof AppError)) return error;
  const { pack, id, type } = blob;
  if (error.code === 'STORAGE_NOT_FOUND') {
    return damaged(`pack ${pack} with ${type} blob ${toHex(id)} is missing`, error);
  }
  if (error.code !== 'REPOSITORY_DAMAGED') return error;
  return damaged(`${type} blob ${toHex(id)} in pack ${pack}: ${String(error.params.reason)}`, error);
}

interface Range {
  readonly start: number;
  readonly length: number;
}

/** Windows of packs that were read, the least recently used leave first. */
class WindowCache {
  readonly #options: BlobReaderOptions;
  readonly #windows = new Map<string, Promise<Buffer>>();

  constructor(options: BlobReaderOptions) {
    this.#options = options;
  }

  async read(pack: string, { start, length }: Range): Promise<Uint8Array> {
    const { repository, signal } = this.#options;
    if (length > WINDOWED_BYTES) {
      return assertLength(await repository.readPack(pack, { start, end: start + length }, signal), length);
    }
    const first = Math.floor(start / WINDOW_BYTES);
    const last = Math.floor((start + length - 1) / WINDOW_BYTES);
    const window = await this.#window(pack, first);
    const at = start - first * WINDOW_BYTES;
    if (first === last) return assertLength(window.subarray(at, at + length), length);
    const next = await this.#window(pack, last);
    return assertLength(Buffer.concat([window.subarray(at), next.subarray(0, length - (window.length - at))]), length);
  }

  async #window(pack: string, number: number): Promise<Buffer> {
    const { repository, signal, cacheBytes = DEFAULT_CACHE_BYTES } = this.#options;
    const key = `${pack}/${number}`;
    const known = this.#windows.get(key);
    if (known) {
      this.#windows.delete(key);
      this.#windows.set(key, known);
      return await known;
    }
    const start = number * WINDOW_BYTES;
    const reading = repository.readPack(pack, { start, end: start + WINDOW_BYTES }, signal);
    this.#windows.set(key, reading);
    if (this.#windows.size * WINDOW_BYTES > cacheBytes) {
      const oldest = this.#windows.keys().next().value;
      if (oldest !== undefined) this.#windows.delete(oldest);
    }
    try {
      return await reading;
    } catch (error) {
      this.#windows.delete(key);
      throw error;
    }
  }
}

function assertLength(bytes: Uint8Array, length: number): Uint8Array {
  if (bytes.byteLength !== length) throw damaged(`the pack ends ${length - bytes.byteLength} byte(s) too early`);
  return bytes;
}
