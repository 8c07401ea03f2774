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
  const cursor = new JsonCursor(json);
  const packId = new Uint8Array(ID_BYTES);
  const blob: Writable<IndexedBlob> = {
    packNumber: 0,
    type: 'data',
    id: new Uint8Array(ID_BYTES),
    offset: 0,
    storedLength: 0,
    plainLength: 0,
  };
  const readBlobs = () =>
    cursor.readArray(() => {
      readBlob(cursor, blob);
      onBlob(blob);
    });
  const readPack = () => {
    let blobsAt = -1;
    let isKnown = false;
    cursor.readObject(() => {
      if (cursor.isText('id')) {
        cursor.readHex(packId);
        blob.packNumber = onPack(packId);
        isKnown = true;
      } else if (!cursor.isText('blobs')) cursor.skipValue();
      else if (isKnown) readBlobs();
      else {
        blobsAt = cursor.position;
        cursor.skipValue();
      }
    });
    if (!isKnown) throw cursor.damaged();
    if (blobsAt < 0) return;
    // The blobs stood before the id of their pack: no program writes that, but it is the same JSON.
    const next = cursor.position;
    cursor.position = blobsAt;
    readBlobs();
    cursor.position = next;
  };
  cursor.readObject(() => (cursor.isText('packs') ? cursor.readArray(readPack) : cursor.skipValue()));
  cursor.end();
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

function readBlob(cursor: JsonCursor, blob: Writable<IndexedBlob>): void {
  let hasId = false;
  let hasType = false;
  blob.plainLength = 0;
  blob.storedLength = 0;
  blob.offset = 0;
  cursor.readObject(() => {
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
  });
  if (!hasId || !hasType) throw cursor.damaged();
}

function readType(cursor: JsonCursor): PackEntry['type'] {
  cursor.readText();
  if (cursor.isText('data')) return 'data';
  if (cursor.isText('tree')) return 'tree';
  throw cursor.damaged();
}
