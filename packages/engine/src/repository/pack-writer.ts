/**
 * Gathers sealed blobs into packs, stores the packs, then the index files that name them; in this order, so that a
 * crash leaves at worst packs that nobody names.
 *
 * Two packs per type are open at a time and each blob goes to one of them at random, so that the sequence of lengths in
 * a pack tells less about the files (restic does the same since 0.18). At most two packs are on their way at once.
 * An index file is written when 50,000 blobs or ten minutes have gathered: an interrupted run is not stored twice.
 */
import { createHash, randomInt } from 'node:crypto';
import { AppError } from '@backupx/contracts/errors';
import type { Clock } from '../ports/clock.ts';
import { replayable } from '../ports/storage.ts';
import type { BlobType } from './blob-index.ts';
import { toHex } from './format/blob-id.ts';
import { indexJson } from './format/index-file.ts';
import { type PackEntry, packHeader } from './format/pack-header.ts';
import { assertStored, type Repository } from './open-repository.ts';
import { PackBlobs } from './pack-blobs.ts';

export const PACK_BYTES = 16 * 1024 * 1024;
/** Of tiny blobs: as many as an index file takes, so that what is known of packs on their way stays small. */
const MAX_PACK_ENTRIES = 50_000;
const OPEN_PACKS = 2;
const UPLOADS_AT_ONCE = 2;
const INDEX_BLOBS = 50_000;
const CHECKPOINT_MS = 600_000;
const SLAB_BYTES = 1024 * 1024;
/**
 * Memory of all packs in slabs; beyond it uploads must come to an end first. One pack on its way and two being filled fit:
 * with less, all threads of a backup stand still while the disk syncs a pack.
 */
const MAX_SLABS = 48;

export interface PackWriterOptions {
  readonly repository: Repository;
  readonly signal: AbortSignal;
  readonly clock: Clock;
  /** Hears the bytes of each file that was stored. */
  readonly onStored?: (bytes: number) => void;
  /** Hears of each pack once it is stored, before any index names it. */
  readonly onPackStored?: (pack: StoredPack) => void;
  /** Default 10 minutes. */
  readonly checkpointMs?: number;
}

export interface StoredPack {
  /** Hex. */
  readonly id: string;
  readonly sizeBytes: number;
  readonly entries: readonly PackEntry[];
}

/** The same with its blobs packed small. */
interface WrittenPack {
  readonly id: string;
  readonly sizeBytes: number;
  readonly blobs: PackBlobs;
}

/** A sealed blob on its way into a pack. */
export interface SealedBlob {
  readonly type: BlobType;
  readonly id: Uint8Array;
  /** Copied before `add` returns. */
  readonly sealed: Uint8Array;
  /** Length before compression; 0: not compressed. */
  readonly plainLength: number;
}

export interface PackWriterStats {
  readonly blobs: number;
  readonly packs: number;
  /** Bytes of all files stored so far. */
  readonly bytesStored: number;
}

export interface PackWriter {
  /**
   * Takes a blob. Null: taken; otherwise wait for the promise, since two packs are on their way already. Throws the
   * first failure of an upload.
   */
  add(blob: SealedBlob): Promise<void> | null;
  /** Stores what is open. */
  flushPacks(): Promise<void>;
  /** Writes the index of all packs stored since the last; answers the names of the new files. */
  saveIndex(): Promise<string[]>;
  /** Everything: packs, then index. Answers the names of all index files this writer wrote. */
  finish(): Promise<string[]>;
  /**
   * After a failure: names the packs that were stored whole, within so much time (0: does not name them). Then nothing is
   * on its way, and nothing taken.
   */
  rescue(withinMs: number): Promise<string[]>;
  readonly stats: PackWriterStats;
}

interface OpenPack {
  readonly slabs: Buffer[];
  readonly blobs: PackBlobs;
  size: number;
}

/** See above. One writer serves one thread; the caller never overlaps two calls. */
export function createPackWriter(options: PackWriterOptions): PackWriter {
  return new Writer(options);
}

class Writer implements PackWriter {
  readonly #options: PackWriterOptions;
  readonly #open: Record<BlobType, OpenPack[]> = { data: [], tree: [] };
  readonly #freeSlabs: Buffer[] = [];
  #slabsInUse = 0;
  readonly #uploads = new Set<Promise<void>>();
  readonly #indexFiles: string[] = [];
  #stored: WrittenPack[] = [];
  #storedBlobs = 0;
  #failure: unknown = null;
  /** The index file that is being saved. */
  #saving: Promise<unknown> = Promise.resolve();
  #lastCheckpointMs: number;
  #stats = { blobs: 0, packs: 0, bytesStored: 0 };

  constructor(options: PackWriterOptions) {
    this.#options = options;
    this.#lastCheckpointMs = options.clock.monotonicMs();
  }

  get stats(): PackWriterStats {
    return { ...this.#stats };
  }

  add({ type, id, sealed, plainLength }: SealedBlob): Promise<void> | null {
    this.#throwFailure();
    const pack = this.#choosePack(type);
    pack.blobs.add({ id, offset: pack.size, storedLength: sealed.byteLength, plainLength });
    this.#append(pack, sealed);
    this.#stats.blobs += 1;
    if (pack.size < PACK_BYTES && pack.blobs.count < MAX_PACK_ENTRIES) {
      if (this.#slabsInUse <= MAX_SLABS) return null;
      return this.#uploads.size > 0 ? Promise.race(this.#uploads) : this.#close(this.#fullest());
    }
    return this.#close(pack);
  }

  async flushPacks(): Promise<void> {
    for (const pack of [...this.#open.data, ...this.#open.tree]) {
      if (pack.blobs.count > 0) await this.#store(pack);
    }
    this.#open.data = [];
    this.#open.tree = [];
    await Promise.all(this.#uploads);
    this.#throwFailure();
  }

  saveIndex(): Promise<string[]> {
    return this.#saveIndex(this.#options.signal);
  }

  async rescue(withinMs: number): Promise<string[]> {
    // Nothing more is begun, and what is on its way is waited for: an index that came after the run's lock has ended
    // might name packs that a clean-up has deleted.
    this.#failure ??= new AppError('CANCELLED');
    await Promise.allSettled([...this.#uploads, this.#saving]);
    // The time begins now: a pack on its way may take longer than an index.
    return withinMs > 0 ? await this.#saveIndex(AbortSignal.timeout(withinMs)) : [];
  }

  #saveIndex(signal: AbortSignal): Promise<string[]> {
    const saving = this.#saveStored(signal);
    this.#saving = saving;
    return saving;
  }

  async #saveStored(signal: AbortSignal): Promise<string[]> {
    const { repository, clock } = this.#options;
    const names: string[] = [];
    while (this.#stored.length > 0) {
      const packs = takeWhole(this.#stored);
      const json = indexJson(packs.map(({ id, blobs }) => ({ id, entries: blobs })));
      const ids = packs.map(({ id }) => id);
      names.push(await repository.saveFile('index', json, signal, ids));
      this.#stored = this.#stored.slice(packs.length);
      this.#storedBlobs -= packs.reduce((sum, pack) => sum + pack.blobs.count, 0);
      this.#count(json.sizeBytes);
    }
    this.#lastCheckpointMs = clock.monotonicMs();
    this.#indexFiles.push(...names);
    return names;
  }

  async finish(): Promise<string[]> {
    await this.flushPacks();
    await this.saveIndex();
    return [...this.#indexFiles];
  }

  #choosePack(type: BlobType): OpenPack {
    const packs = this.#open[type];
    const choice = randomInt(OPEN_PACKS);
    const found = packs[choice];
    if (found) return found;
    const pack: OpenPack = { slabs: [], blobs: new PackBlobs(type), size: 0 };
    packs.push(pack);
    return pack;
  }

  #append(pack: OpenPack, bytes: Uint8Array): void {
    for (let at = 0; at < bytes.byteLength; ) {
      const inSlab = pack.size % SLAB_BYTES;
      if (inSlab === 0) {
        pack.slabs.push(this.#freeSlabs.pop() ?? Buffer.allocUnsafeSlow(SLAB_BYTES));
        this.#slabsInUse += 1;
      }
      const count = Math.min(SLAB_BYTES - inSlab, bytes.byteLength - at);
      pack.slabs.at(-1)?.set(bytes.subarray(at, at + count), inSlab);
      pack.size += count;
      at += count;
    }
  }

  /** Takes nothing more into a pack, and stores it. */
  #close(pack: OpenPack): Promise<void> {
    const { type } = pack.blobs;
    this.#open[type] = this.#open[type].filter((other) => other !== pack);
    return this.#store(pack);
  }

  /** Of the packs that are open; there is one when memory is in use and nothing is on its way. */
  #fullest(): OpenPack {
    return [...this.#open.data, ...this.#open.tree].reduce((one, other) => (other.size > one.size ? other : one));
  }

  /** Starts the upload of a pack; waits until there is room for it. */
  async #store(pack: OpenPack): Promise<void> {
    while (this.#uploads.size >= UPLOADS_AT_ONCE) await Promise.race(this.#uploads);
    this.#throwFailure();
    this.#append(pack, packHeader(this.#options.repository.box, pack.blobs));
    const upload: Promise<void> = this.#upload(pack)
      .catch((error: unknown) => {
        this.#failure ??= error;
      })
      .finally(() => {
        this.#uploads.delete(upload);
        this.#slabsInUse -= pack.slabs.length;
        this.#freeSlabs.push(...pack.slabs.slice(0, MAX_SLABS - this.#freeSlabs.length));
      });
    this.#uploads.add(upload);
    if (this.#isCheckpointDue()) await this.saveIndex();
  }

  async #upload(pack: OpenPack): Promise<void> {
    const { repository, signal, onPackStored } = this.#options;
    const pieces = pack.slabs.map((slab, index) =>
      slab.subarray(0, Math.min(SLAB_BYTES, pack.size - index * SLAB_BYTES)),
    );
    const digest = createHash('sha256');
    for (const piece of pieces) digest.update(piece);
    const id = toHex(digest.digest());
    const body = replayable(async function* () {
      yield* pieces;
    });
    const { storage } = repository.place;
    const key = repository.key('data', id);
    await storage.put(key, body, { signal, sizeBytes: pack.size });
    await assertStored(storage, key, { sizeBytes: pack.size, signal }).catch((error: unknown) => {
      // Cancelled meanwhile: the storage has answered for it, so the rescue may name it.
      if (!signal.aborted) throw error;
    });
    this.#stored.push({ id, sizeBytes: pack.size, blobs: pack.blobs });
    this.#storedBlobs += pack.blobs.count;
    this.#stats.packs += 1;
    this.#count(pack.size);
    onPackStored?.({ id, sizeBytes: pack.size, entries: pack.blobs.toEntries() });
  }

  #isCheckpointDue(): boolean {
    if (this.#stored.length === 0) return false;
    if (this.#storedBlobs >= INDEX_BLOBS) return true;
    const { clock, checkpointMs = CHECKPOINT_MS } = this.#options;
    return clock.monotonicMs() - this.#lastCheckpointMs >= checkpointMs;
  }

  #count(bytes: number): void {
    this.#stats.bytesStored += bytes;
    this.#options.onStored?.(bytes);
  }

  #throwFailure(): void {
    if (this.#failure !== null) throw this.#failure;
  }
}

/** The first packs, as many as one index file takes; at least one, since all blobs of a pack stand in one file. */
function takeWhole(packs: readonly WrittenPack[]): WrittenPack[] {
  const taken: WrittenPack[] = [];
  let blobs = 0;
  for (const pack of packs) {
    if (taken.length > 0 && blobs + pack.blobs.count > INDEX_BLOBS) break;
    taken.push(pack);
    blobs += pack.blobs.count;
  }
  return taken;
}
