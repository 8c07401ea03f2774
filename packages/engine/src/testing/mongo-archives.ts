/** Archives for the tests, put together by the driver's own BSON and not by the writer that is tested. */
import { inflateSync } from 'node:zlib';
import { BSON } from 'mongodb';
import { CRC64_ECMA, Crc64 } from '../ports/crc64.ts';

const END = Buffer.from([255, 255, 255, 255]);
const { Binary, Decimal128, Double, Int32, Long, MaxKey, MinKey, ObjectId, Timestamp } = BSON;

/**
 * What mongodump 100.9.5 wrote (--archive --db=tiny) of a collection `a` with three documents and a unique index, and a
 * capped collection `b` with one; packed.
 */
export const STOCK_ARCHIVE: Buffer = inflateSync(
  Buffer.from(
    'eNqtU02L1EAQfRMVV7wMHgQPXgrxFGKSzfd1UVhYXfDiQST0pDtLcKYzJp3ZHYccBH/CXvavePTov9CDv0IY6R7cDLg4rlin7n5Vr+q9omffLj' +
      '6cABgXtSy6phFS5UU9nYpCVbVscROAtRBNW9XSXFzHg9WKZiGa/Nf7bQCx4zqBD0vV9fQS2APgua6TOiHwfARYfIJbAFQll7CGRrAAMFgzoRhn' +
      'iuEHgBVVkosz0VL2ekULylb0SHaziWgOpaKMfOpteiuWGsgr/hvuUd/bJNlMUKYTcurtXTzqzywq98imTlbvOkGZajrRv7Gp63R3igu/2A/349' +
      'Qv4iDxytR3RSTiIvKTMBJlSjYNil9sCBnZpJZzfRww6jFuq/cCOiwN4y6ALbvg7zJzsmXmV2NmPTcr1QILNp8LvhFgk261JfuolieUUeCmkZH+' +
      '35cwOFYyFgo/Krk7CYPI5wkrg5gFSczCKPE4v8qxyT86tl6v1zF2urb39PgZcO/g5QEuY6zL8oqblLPrUY0MVXL8+f7y+6vHf1fKrpzigZ5ETz' +
      'EyGs1vrKXYAqwBUKf1FnADwB1uGpq4zhQbAR+/PPn08PDo3JT+BC2oIrw=',
    'base64',
  ),
);

/** A document of every type there is. */
export function everyType(id: unknown): Buffer {
  return Buffer.from(
    BSON.serialize({
      _id: id,
      double: new Double(-0),
      text: 'ünï\u0000code',
      document: { b: 1, a: [1, 'two', { c: null }] },
      binary: new Binary(Buffer.from('bytes'), 0x80),
      oid: new ObjectId('0123456789abcdef01234567'),
      yes: true,
      date: new Date(-1),
      regex: new BSON.BSONRegExp('a.*', 'im'),
      code: new BSON.Code('f()'),
      scoped: new BSON.Code('g()', { x: 1 }),
      symbol: new BSON.BSONSymbol('s'),
      int: new Int32(7),
      stamp: new Timestamp({ t: 1, i: 2 }),
      long: Long.fromString('9007199254740993'),
      decimal: Decimal128.fromString('1.10'),
      min: new MinKey(),
      max: new MaxKey(),
    }),
  );
}

/** `_id: 1` and one more element, of bytes that the driver's BSON cannot write. */
function handMade(type: number, name: string, value: readonly number[], name2?: string): Buffer {
  const element = (title: string) => [type, ...Buffer.from(title), 0, ...value];
  const id = [0x10, ...Buffer.from('_id'), 0, 1, 0, 0, 0];
  const elements = Buffer.from([...id, ...element(name), ...(name2 === undefined ? [] : element(name2)), 0]);
  const size = Buffer.alloc(4);
  size.writeInt32LE(elements.byteLength + 4, 0);
  return Buffer.concat([size, elements]);
}

/** Documents of all types, and such as the driver's BSON cannot write or reads as something else. */
export const ODD_DOCUMENTS: readonly Buffer[] = [
  everyType('every type'),
  handMade(0x06, 'undefined', []),
  handMade(0x0c, 'pointer', [4, 0, 0, 0, ...Buffer.from('a.b'), 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]),
  handMade(0x01, 'a NaN with something in it', [1, 2, 3, 4, 5, 6, 0xf8, 0x7f]),
  handMade(0x01, 'minus zero', [0, 0, 0, 0, 0, 0, 0, 0x80]),
  handMade(0x09, 'a date out of range', [255, 255, 255, 255, 255, 255, 255, 0x7f]),
  handMade(0x10, 'twice', [1, 0, 0, 0], 'twice'),
  handMade(0x10, '10', [1, 0, 0, 0], '9'),
  handMade(0x02, 'no UTF-8', [3, 0, 0, 0, 0xc3, 0x28, 0]),
  handMade(0x08, '', [1]),
  handMade(0x10, '$a.b', [1, 0, 0, 0]),
];

function blockHead(db: string, collection: string, crc: Crc64 | null): Uint8Array {
  const value = crc ? Buffer.from(crc.digest()).readBigInt64LE(0) : 0n;
  return BSON.serialize({ db, collection, EOF: crc !== null, CRC: Long.fromBigInt(value) });
}

/** A block of documents. */
export function block(db: string, collection: string, documents: readonly Uint8Array[]): Buffer {
  return Buffer.concat([blockHead(db, collection, null), ...documents, END]);
}

/** The end of a namespace. */
export function endBlock(db: string, collection: string, documents: readonly Uint8Array[]): Buffer {
  const crc = new Crc64(CRC64_ECMA);
  for (const bytes of documents) crc.update(bytes);
  return Buffer.concat([blockHead(db, collection, crc), END]);
}

interface SampleCollection {
  readonly db: string;
  readonly collection: string;
  readonly type?: string;
  readonly options?: object;
  readonly hasMetadata?: boolean;
}

function about({ db, collection, type = 'collection', options = {}, hasMetadata = true }: SampleCollection) {
  const uuid = Buffer.from(collection).toString('hex').padEnd(32, '0').slice(0, 32);
  const indexes = [{ v: 2, key: { _id: 1 }, name: '_id_' }];
  const details = { options, indexes, uuid, collectionName: collection, type };
  const metadata = hasMetadata ? BSON.EJSON.stringify(details, { relaxed: false }) : '';
  return BSON.serialize({ db, collection, metadata, size: 0, type: hasMetadata ? type : '' });
}

/** The contents of an archive. */
export function contents(collections: readonly SampleCollection[], version = '0.1'): Buffer {
  const header = { concurrent_collections: 4, version, server_version: '7.0.1', tool_version: '100.10.0' };
  return Buffer.concat([Buffer.from([0x6d, 0xe2, 0x99, 0x81]), BSON.serialize(header), ...collections.map(about), END]);
}

const documents = (from: number, count: number): Buffer[] =>
  Array.from({ length: count }, (_, index) => Buffer.from(BSON.serialize({ _id: from + index, t: 'x'.repeat(index) })));

/** An archive with one of everything, whose namespaces take turns. */
export function sampleArchive(): Buffer {
  const [a, b, c] = [documents(0, 5), documents(100, 2), [everyType('c')]];
  const buckets = [Buffer.from(BSON.serialize({ _id: 1, control: {}, data: {} }))];
  const users = [Buffer.from(BSON.serialize({ _id: 'shop.me', user: 'me' }))];
  const series = { timeField: 't' };
  return Buffer.concat([
    contents([
      { db: 'shop', collection: 'a' },
      { db: 'shop', collection: 'b', options: { capped: true, size: 4096 } },
      { db: 'shop', collection: 'empty' },
      { db: 'shop', collection: 'series', type: 'timeseries', options: { timeseries: series } },
      { db: 'shop', collection: 'view', type: 'view', options: { viewOn: 'a', pipeline: [] } },
      { db: 'other', collection: 'a.b$', options: {} },
      { db: 'shop', collection: '$admin.system.users', hasMetadata: false },
      { db: '', collection: 'oplog', hasMetadata: false },
    ]),
    block('shop', 'a', a.slice(0, 2)),
    block('shop', 'b', b.slice(0, 1)),
    block('shop', 'view', []),
    endBlock('shop', 'view', []),
    block('shop', 'a', a.slice(2, 5)),
    block('shop', 'b', b.slice(1)),
    endBlock('shop', 'a', a),
    block('shop', 'system.buckets.series', buckets),
    endBlock('shop', 'b', b),
    block('shop', 'empty', []),
    endBlock('shop', 'empty', []),
    endBlock('shop', 'system.buckets.series', buckets),
    block('other', 'a.b$', c),
    endBlock('other', 'a.b$', c),
    block('shop', '$admin.system.users', users),
    endBlock('shop', '$admin.system.users', users),
    endBlock('', 'oplog', []),
  ]);
}

/** In chunks of these sizes, the last one as often as it takes. Each chunk is overwritten once the next is asked for. */
export async function* chunked(bytes: Uint8Array, ...sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  for (let at = 0, turn = 0; at < bytes.byteLength; turn += 1) {
    const size = sizes[Math.min(turn, sizes.length - 1)] ?? bytes.byteLength;
    const chunk = Uint8Array.from(bytes.subarray(at, at + size));
    yield chunk;
    chunk.fill(0xaa);
    at += chunk.byteLength;
  }
}
