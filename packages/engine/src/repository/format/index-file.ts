/** Index files (internal/repository/index/index.go): which pack holds which blobs, as JSON. */
import { ID_BYTES, toHex } from './blob-id.ts';
import { JsonCursor } from './json-cursor.ts';
import type { PackEntry } from './pack-header.ts';

/** A pack with all its blobs, which always stand in one index file. */
export interface IndexedPack {
  /** Hex. */
  readonly id: string;
  readonly entries: readonly PackEntry[];
}

/** One blob out of an index file. The object and its id are used again for the next blob. */
export interface IndexedBlob extends PackEntry {
  /** What `onPack` answered. */
  readonly packNumber: number;
}

/** The JSON of an index file. */
export function packIndex(packs: readonly IndexedPack[]): Buffer {
  const parts = packs.map(({ id, entries }) =>
    Buffer.from(`{"id":"${id}","blobs":[${entries.map(blobJson).join(',')}]}`),
  );
  const pieces = parts.flatMap((part, index) => (index === 0 ? [part] : [COMMA, part]));
  return Buffer.concat([Buffer.from('{"packs":['), ...pieces, Buffer.from(']}\n')]);
}

const COMMA = Buffer.from(',');

function blobJson({ id, type, offset, storedLength, plainLength }: PackEntry): string {
  const plain = plainLength === 0 ? '' : `,"uncompressed_length":${plainLength}`;
  return `{"id":"${toHex(id)}","type":"${type}","offset":${offset},"length":${storedLength}${plain}}`;
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
  const reader = new IndexReader(new JsonCursor(json, 'an index'), onPack, onBlob);
  reader.read();
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

class IndexReader {
  readonly #cursor: JsonCursor;
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

  constructor(cursor: JsonCursor, onPack: (packId: Uint8Array) => number, onBlob: (blob: IndexedBlob) => void) {
    this.#cursor = cursor;
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
      readBlob(cursor, this.#blob);
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
