/** Index files (internal/repository/index/index.go): which pack holds which blobs, as JSON. */
import { ID_BYTES, toHex } from './blob-id.ts';
import { JsonCursor } from './json-cursor.ts';
import type { PackEntry } from './pack-header.ts';
import { PlainBlobReader } from './plain-blob.ts';
import type { JsonPieces } from './unpacked-file.ts';

/** A pack with all its blobs, which always stand in one index file. */
export interface IndexedPack {
  /** Hex. */
  readonly id: string;
  readonly entries: readonly PackEntry[];
}

/** A pack to be written: its entries are gone through twice, and each is read before the next is asked for. */
export interface PackToIndex {
  readonly id: string;
  readonly entries: Iterable<PackEntry>;
}

/** One blob out of an index file. The object and its id are used again for the next blob. */
export interface IndexedBlob extends PackEntry {
  /** What `onPack` answered. */
  readonly packNumber: number;
}

/** The JSON of an index file, a piece at a time: it is four times as large as what it tells. */
export function indexJson(packs: readonly PackToIndex[]): JsonPieces {
  return { sizeBytes: jsonSize(packs), pieces: jsonPieces(packs) };
}

/** The same in one piece. */
export function packIndex(packs: readonly PackToIndex[]): Buffer {
  return Buffer.concat([...indexJson(packs).pieces]);
}

const HEAD = '{"packs":[';
const TAIL = ']}\n';
const PACK_TAIL = ']}';
/** Blobs made into bytes at once. */
const BLOBS_PER_PIECE = 256;

function* jsonPieces(packs: readonly PackToIndex[]): Generator<Buffer> {
  let text = HEAD;
  for (const [number, { id, entries }] of packs.entries()) {
    text += `${number === 0 ? '' : ','}${packHead(id)}`;
    let blobs = 0;
    for (const entry of entries) {
      text += blobs === 0 ? blobJson(entry) : `,${blobJson(entry)}`;
      blobs += 1;
      if (blobs % BLOBS_PER_PIECE > 0) continue;
      yield Buffer.from(text);
      text = '';
    }
    text += PACK_TAIL;
  }
  yield Buffer.from(text + TAIL);
}

function packHead(id: string): string {
  return `{"id":"${id}","blobs":[`;
}

function blobJson({ id, type, offset, storedLength, plainLength }: PackEntry): string {
  const plain = plainLength === 0 ? '' : `,"uncompressed_length":${plainLength}`;
  return `{"id":"${toHex(id)}","type":"${type}","offset":${offset},"length":${storedLength}${plain}}`;
}

/** Bytes of a blob's JSON besides its numbers, and what a plain length adds. */
const BLOB_BYTES = '{"id":"","type":"data","offset":,"length":}'.length + 2 * ID_BYTES;
const PLAIN_BYTES = ',"uncompressed_length":'.length;

function jsonSize(packs: readonly PackToIndex[]): number {
  let size = HEAD.length + TAIL.length + Math.max(0, packs.length - 1);
  for (const { id, entries } of packs) {
    let commas = -1;
    for (const { offset, storedLength, plainLength } of entries) {
      size += BLOB_BYTES + digitsOf(offset) + digitsOf(storedLength);
      if (plainLength !== 0) size += PLAIN_BYTES + digitsOf(plainLength);
      commas += 1;
    }
    size += packHead(id).length + PACK_TAIL.length + Math.max(0, commas);
  }
  return size;
}

function digitsOf(count: number): number {
  let digits = 1;
  for (let rest = count; rest >= 10; rest /= 10) digits += 1;
  return digits;
}

/**
 * Reads an index file: `onPack` is called with the id of each pack (valid during the call) and answers its number,
 * `onBlob` with each of its blobs. Fields that are not known are passed over. Throws REPOSITORY_DAMAGED.
 */
export function parseIndex(
  json: Uint8Array,
  onPack: (packId: Uint8Array) => number,
  onBlob: (blob: IndexedBlob) => void,
): void {
  new IndexReader(json, onPack, onBlob).read();
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

class IndexReader {
  readonly #cursor: JsonCursor;
  readonly #plainBlobs: PlainBlobReader;
  readonly #onPack: (packId: Uint8Array) => number;
  readonly #onBlob: (blob: IndexedBlob) => void;
  readonly #packId = new Uint8Array(ID_BYTES);
  readonly #blob: Writable<IndexedBlob> = {
    packNumber: 0,
    type: 'data',
    id: new Uint8Array(ID_BYTES),
    offset: 0,
    storedLength: 0,
    plainLength: 0,
  };

  constructor(json: Uint8Array, onPack: (packId: Uint8Array) => number, onBlob: (blob: IndexedBlob) => void) {
    this.#cursor = new JsonCursor(json, 'an index');
    this.#plainBlobs = new PlainBlobReader(json);
    this.#onPack = onPack;
    this.#onBlob = onBlob;
  }

  read(): void {
    const cursor = this.#cursor;
    cursor.enterObject();
    while (cursor.nextField()) {
      if (cursor.isText('packs')) {
        cursor.enterArray();
        while (cursor.nextItem()) this.#readPack();
      } else cursor.skipValue();
    }
    cursor.end();
  }

  #readPack(): void {
    const cursor = this.#cursor;
    let blobsAt = -1;
    let isKnown = false;
    cursor.enterObject();
    while (cursor.nextField()) {
      if (cursor.isText('id')) {
        cursor.readHex(this.#packId);
        this.#blob.packNumber = this.#onPack(this.#packId);
        isKnown = true;
      } else if (!cursor.isText('blobs')) cursor.skipValue();
      else if (isKnown) this.#readBlobs();
      else {
        blobsAt = cursor.position;
        cursor.skipValue();
      }
    }
    if (!isKnown) throw cursor.damaged();
    if (blobsAt < 0) return;
    // The blobs stood before the id of their pack: no program writes that, but it is the same JSON.
    const next = cursor.position;
    cursor.position = blobsAt;
    this.#readBlobs();
    cursor.position = next;
  }

  #readBlobs(): void {
    const cursor = this.#cursor;
    cursor.enterArray();
    while (cursor.nextItem()) {
      const end = this.#plainBlobs.read(cursor.position, this.#blob);
      if (end >= 0) cursor.position = end;
      else readBlob(cursor, this.#blob);
      this.#onBlob(this.#blob);
    }
  }
}

function readBlob(cursor: JsonCursor, blob: Writable<IndexedBlob>): void {
  let hasId = false;
  let hasType = false;
  blob.plainLength = 0;
  blob.storedLength = 0;
  blob.offset = 0;
  cursor.enterObject();
  while (cursor.nextField()) {
    if (cursor.isText('id')) {
      cursor.readHex(blob.id);
      hasId = true;
    } else if (cursor.isText('type')) {
      blob.type = readType(cursor);
      hasType = true;
    } else if (cursor.isText('offset')) blob.offset = cursor.readCount();
    else if (cursor.isText('length')) blob.storedLength = cursor.readCount();
    else if (cursor.isText('uncompressed_length')) blob.plainLength = cursor.readCount();
    else cursor.skipValue();
  }
  if (!hasId || !hasType) throw cursor.damaged();
}

function readType(cursor: JsonCursor): PackEntry['type'] {
  cursor.readText();
  if (cursor.isText('data')) return 'data';
  if (cursor.isText('tree')) return 'tree';
  throw cursor.damaged();
}
