/**
 * Writes an archive as mongodump does: its contents first, then the documents of one namespace after the other. Equal
 * documents in equal order give equal bytes.
 */
import { CRC64_ECMA, Crc64 } from '../../ports/crc64.ts';
import { type ArchiveHeader, type CollectionMetadata, MAGIC, type Namespace, TERMINATOR } from './archive-format.ts';

/** A collection on its way into an archive. */
export interface CollectionToWrite {
  readonly about: CollectionMetadata;
  /** Where its documents stand: of a time series the name of its buckets, else its own. */
  readonly stream: Namespace;
  /** Whole documents, many at a time; asked for when its turn has come. */
  readonly documents: () => AsyncIterable<readonly Uint8Array[]>;
}

const END = uint32(TERMINATOR);
const NO_CRC = Buffer.alloc(8);
/** Documents go on in pieces of about this size. */
const PIECE_BYTES = 256 * 1024;

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value, 0);
  return bytes;
}

type Field = readonly [type: number, name: string, value: Uint8Array];

function text(name: string, value: string): Field {
  const bytes = Buffer.from(value, 'utf8');
  return [0x02, name, Buffer.concat([uint32(bytes.byteLength + 1), bytes, Buffer.alloc(1)])];
}

function document(fields: readonly Field[]): Buffer {
  const parts = fields.flatMap(([type, name, value]) => [Buffer.from([type]), Buffer.from(`${name}\0`), value]);
  const size = 5 + parts.reduce((sum, part) => sum + part.byteLength, 0);
  return Buffer.concat([uint32(size), ...parts, Buffer.alloc(1)]);
}

function headerDocument(header: ArchiveHeader): Buffer {
  return document([
    [0x10, 'concurrent_collections', uint32(header.concurrentCollections)],
    text('version', header.formatVersion),
    text('server_version', header.serverVersion),
    text('tool_version', header.toolVersion),
  ]);
}

function collectionDocument({ db, collection, metadata, size, type }: CollectionMetadata): Buffer {
  return document([
    text('db', db),
    text('collection', collection),
    text('metadata', metadata),
    [0x10, 'size', uint32(size)],
    text('type', type),
  ]);
}

function blockHead({ db, collection }: Namespace, end: Crc64 | null): Buffer {
  return document([
    text('db', db),
    text('collection', collection),
    [0x08, 'EOF', Buffer.from([end ? 1 : 0])],
    [0x12, 'CRC', end ? end.digest() : NO_CRC],
  ]);
}

/** See above. Throws what the documents throw; an archive is whole only when this has come to its end. */
export async function* writeArchive(
  header: ArchiveHeader,
  collections: readonly CollectionToWrite[],
): AsyncGenerator<Uint8Array> {
  const contents = collections.map(({ about }) => collectionDocument(about));
  yield Buffer.concat([uint32(MAGIC), headerDocument(header), ...contents, END]);
  for (const { stream, documents } of collections) yield* writeStream(stream, documents());
}

async function* writeStream(
  stream: Namespace,
  documents: AsyncIterable<readonly Uint8Array[]>,
): AsyncGenerator<Uint8Array> {
  const crc = new Crc64(CRC64_ECMA);
  const parts: Uint8Array[] = [blockHead(stream, null)];
  let size = 0;
  for await (const batch of documents) {
    for (const bytes of batch) {
      crc.update(bytes);
      parts.push(bytes);
      size += bytes.byteLength;
      if (size < PIECE_BYTES) continue;
      yield Buffer.concat(parts);
      parts.length = 0;
      size = 0;
    }
  }
  yield Buffer.concat([...parts, END, blockHead(stream, crc), END]);
}
