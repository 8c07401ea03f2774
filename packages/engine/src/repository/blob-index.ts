/**
 * The index of all blobs in memory: which pack holds a blob, where, and how long it is.
 *
 * Typed arrays only, since a repository has millions of blobs: 48 bytes per entry plus its share of the hash table and
 * of the pack list, some 60 in all and never 75 (counted in the tests). They grow in segments, so that nothing but the
 * hash table is ever there twice. Ids are SHA-256, so their first four bytes are hash enough.
 * Entries are numbered in the order of adding. The arrays lie in shared memory, so that a reading thread can look ids
 * up without a copy (`BlobLookup`).
 */
import { ID_BYTES } from './format/blob-id.ts';

export type BlobType = 'data' | 'tree';

/** Where one blob lies. Lengths and offsets in bytes. */
export interface BlobPlace {
  readonly id: Uint8Array;
  readonly type: BlobType;
  readonly packNumber: number;
  readonly offset: number;
  /** Sealed length. */
  readonly storedLength: number;
  /** Length before compression; 0: not compressed. */
  readonly plainLength: number;
}

/** The part of an index that tells whether a blob is known; structured-cloneable without copying. */
export interface SharedBlobIds {
  readonly table: Uint32Array;
  readonly segments: readonly Uint8Array[];
  readonly types: readonly Uint32Array[];
}

const SEGMENT_BITS = 14;
const SEGMENT_ENTRIES = 1 << SEGMENT_BITS;
const SEGMENT_MASK = SEGMENT_ENTRIES - 1;
const PACK_SEGMENT_BITS = 10;
const PACK_SEGMENT_PACKS = 1 << PACK_SEGMENT_BITS;
const PACK_SEGMENT_MASK = PACK_SEGMENT_PACKS - 1;
const FIRST_TABLE = 1 << 12;
const MAX_LOAD = 0.75;
/** Numbers per entry in `meta`: pack number with the type in its lowest bit, offset, stored length, plain length. */
const META = 4;
const SEAL_OVERHEAD = 32;

/** First four bytes as a number: the hash of an id, and its first comparison. */
export function hashOfId(id: Uint8Array): number {
  return ((id[0] ?? 0) | ((id[1] ?? 0) << 8) | ((id[2] ?? 0) << 16) | ((id[3] ?? 0) << 24)) >>> 0;
}

/** The same for an id that stands at `at` in `bytes`. */
function hashAt(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16) | ((bytes[at + 3] ?? 0) << 24)) >>> 0
  );
}

/** True when `id` stands at `at` in `bytes`. */
export function isIdAt(bytes: Uint8Array, at: number, id: Uint8Array): boolean {
  for (let index = 0; index < ID_BYTES; index += 1) if (bytes[at + index] !== id[index]) return false;
  return true;
}

export class BlobIndex {
  #table = new Uint32Array(new SharedArrayBuffer(FIRST_TABLE * 4));
  readonly #ids: Uint8Array[] = [];
  readonly #meta: Uint32Array[] = [];
  #count = 0;
  readonly #packIds: Uint8Array[] = [];
  #packCount = 0;

  get count(): number {
    return this.#count;
  }

  get packCount(): number {
    return this.#packCount;
  }

  /** Bytes of memory that the index holds. */
  get memoryBytes(): number {
    const segments = this.#ids.length * SEGMENT_ENTRIES * (ID_BYTES + META * 4);
    return segments + this.#table.byteLength + this.#packIds.length * PACK_SEGMENT_PACKS * ID_BYTES;
  }

  /** Adds a pack and answers its number. The caller adds each pack once per index file. */
  addPack(id: Uint8Array): number {
    const slot = this.#packCount & PACK_SEGMENT_MASK;
    if (slot === 0) this.#packIds.push(new Uint8Array(PACK_SEGMENT_PACKS * ID_BYTES));
    this.#packIds[this.#packCount >> PACK_SEGMENT_BITS]?.set(id.subarray(0, ID_BYTES), slot * ID_BYTES);
    this.#packCount += 1;
    return this.#packCount - 1;
  }

  /** So many more are about to be added: then there is a table for them at once. */
  expect(count: number): void {
    const least = Math.ceil((this.#count + count) / MAX_LOAD);
    if (least <= this.#table.length) return;
    this.#makeTable(2 ** Math.ceil(Math.log2(least)));
  }

  /** Adds a blob and answers its entry number; one that is there already gets a further entry (`nextSame`). */
  add(place: BlobPlace): number {
    if (this.#count + 1 > this.#table.length * MAX_LOAD) this.#makeTable(this.#table.length * 2);
    const entry = this.#count;
    const slot = entry & SEGMENT_MASK;
    if (slot === 0) this.#addSegment();
    const segment = entry >> SEGMENT_BITS;
    // Not a view on the id: there are millions, and each would be garbage.
    this.#ids[segment]?.set(place.id, slot * ID_BYTES);
    const meta = this.#meta[segment];
    if (meta) {
      meta[slot * META] = (place.packNumber << 1) | (place.type === 'tree' ? 1 : 0);
      meta[slot * META + 1] = place.offset;
      meta[slot * META + 2] = place.storedLength;
      meta[slot * META + 3] = place.plainLength;
    }
    this.#count += 1;
    this.#insert(entry, hashOfId(place.id));
    return entry;
  }

  /** Entry number of a blob, -1 when it is unknown. With a type: only blobs of that type. */
  find(id: Uint8Array, type?: BlobType): number {
    return this.#probe(id, type, -1);
  }

  /** The next entry of the same id and type as `entry`, -1 after the last. */
  nextSame(entry: number): number {
    return this.#probe(this.idOf(entry), this.typeOf(entry), entry);
  }

  /** View on the id; valid as long as the index. */
  idOf(entry: number): Uint8Array {
    const at = (entry & SEGMENT_MASK) * ID_BYTES;
    const ids = this.#ids[entry >> SEGMENT_BITS];
    if (!ids || entry >= this.#count) throw new RangeError(`there is no blob ${entry}`);
    return ids.subarray(at, at + ID_BYTES);
  }

  typeOf(entry: number): BlobType {
    return (this.#metaOf(entry, 0) & 1) === 1 ? 'tree' : 'data';
  }

  packOf(entry: number): number {
    return this.#metaOf(entry, 0) >>> 1;
  }

  offsetOf(entry: number): number {
    return this.#metaOf(entry, 1);
  }

  storedLengthOf(entry: number): number {
    return this.#metaOf(entry, 2);
  }

  /** Length before compression; 0: not compressed. */
  plainLengthOf(entry: number): number {
    return this.#metaOf(entry, 3);
  }

  /** Bytes of the content, compressed or not. */
  plainSizeOf(entry: number): number {
    return this.plainLengthOf(entry) || this.storedLengthOf(entry) - SEAL_OVERHEAD;
  }

  placeOf(entry: number): BlobPlace {
    return {
      id: this.idOf(entry),
      type: this.typeOf(entry),
      packNumber: this.packOf(entry),
      offset: this.offsetOf(entry),
      storedLength: this.storedLengthOf(entry),
      plainLength: this.plainLengthOf(entry),
    };
  }

  /** View on the id of a pack; valid as long as the index. */
  packId(packNumber: number): Uint8Array {
    const ids = this.#packIds[packNumber >> PACK_SEGMENT_BITS];
    if (!ids || packNumber >= this.#packCount) throw new RangeError(`there is no pack ${packNumber}`);
    const at = (packNumber & PACK_SEGMENT_MASK) * ID_BYTES;
    return ids.subarray(at, at + ID_BYTES);
  }

  /** What another thread needs to look ids up. Nothing may be added afterwards. */
  share(): SharedBlobIds {
    return { table: this.#table, segments: this.#ids, types: this.#meta };
  }

  #metaOf(entry: number, field: number): number {
    return this.#meta[entry >> SEGMENT_BITS]?.[(entry & SEGMENT_MASK) * META + field] ?? 0;
  }

  /** First matching entry of the probe sequence after `after` (-1: from the start). */
  #probe(id: Uint8Array, type: BlobType | undefined, after: number): number {
    const table = this.#table;
    const mask = table.length - 1;
    let isPast = after < 0;
    for (let slot = hashOfId(id) & mask; ; slot = (slot + 1) & mask) {
      const entry = (table[slot] ?? 0) - 1;
      if (entry < 0) return -1;
      if (!isPast) isPast = entry === after;
      else if (this.#is(entry, id) && (type === undefined || this.typeOf(entry) === type)) return entry;
    }
  }

  #is(entry: number, id: Uint8Array): boolean {
    const ids = this.#ids[entry >> SEGMENT_BITS];
    return ids !== undefined && isIdAt(ids, (entry & SEGMENT_MASK) * ID_BYTES, id);
  }

  #addSegment(): void {
    this.#ids.push(new Uint8Array(new SharedArrayBuffer(SEGMENT_ENTRIES * ID_BYTES)));
    this.#meta.push(new Uint32Array(new SharedArrayBuffer(SEGMENT_ENTRIES * META * 4)));
  }

  #insert(entry: number, hash: number): void {
    const mask = this.#table.length - 1;
    let slot = hash & mask;
    while (this.#table[slot] !== 0) slot = (slot + 1) & mask;
    this.#table[slot] = entry + 1;
  }

  #makeTable(length: number): void {
    this.#table = new Uint32Array(new SharedArrayBuffer(length * Uint32Array.BYTES_PER_ELEMENT));
    for (let entry = 0; entry < this.#count; entry += 1) {
      const ids = this.#ids[entry >> SEGMENT_BITS];
      if (ids) this.#insert(entry, hashAt(ids, (entry & SEGMENT_MASK) * ID_BYTES));
    }
  }
}

/** Looks ids up in the shared arrays of an index that another thread loaded. */
export class BlobLookup {
  readonly #shared: SharedBlobIds;

  constructor(shared: SharedBlobIds) {
    this.#shared = shared;
  }

  has(id: Uint8Array, type: BlobType): boolean {
    const { table, segments, types } = this.#shared;
    const mask = table.length - 1;
    const wanted = type === 'tree' ? 1 : 0;
    for (let slot = hashOfId(id) & mask; ; slot = (slot + 1) & mask) {
      const entry = (table[slot] ?? 0) - 1;
      if (entry < 0) return false;
      const ids = segments[entry >> SEGMENT_BITS];
      if (!ids || !isIdAt(ids, (entry & SEGMENT_MASK) * ID_BYTES, id)) continue;
      if (((types[entry >> SEGMENT_BITS]?.[(entry & SEGMENT_MASK) * META] ?? 0) & 1) === wanted) return true;
    }
  }
}
