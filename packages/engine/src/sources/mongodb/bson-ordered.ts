/**
 * Small documents (options, indexes) with the order of their names kept, as maps, and their extended JSON. The driver
 * writes maps as documents, so that an index on `b` and `0` keeps the order of its keys.
 */
import { BSON } from 'mongodb';
import { BSON_ARRAY, BSON_DOCUMENT, BsonError, readElements } from './bson-elements.ts';

/** A map, a list of values, or what the driver has for a value. */
export type OrderedValue = OrderedDocument | readonly OrderedValue[] | unknown;
export type OrderedDocument = Map<string, unknown>;

/** Deeper than any server lets a document be. */
const MAX_DEPTH = 250;
const EXACTLY = { promoteValues: false, promoteLongs: false, bsonRegExp: true } as const;

/** Throws BsonError. */
export function decodeOrdered(document: Uint8Array, depth = 0): OrderedDocument {
  if (depth > MAX_DEPTH) throw new BsonError('a document too deep');
  const decoded: OrderedDocument = new Map();
  for (const { type, name, value } of readElements(document)) {
    if (type === BSON_DOCUMENT) decoded.set(name, decodeOrdered(value, depth + 1));
    else if (type === BSON_ARRAY) decoded.set(name, [...decodeOrdered(value, depth + 1).values()]);
    else decoded.set(name, decodeValue(type, value));
  }
  return decoded;
}

/** By the driver, as the only element of a document. */
function decodeValue(type: number, value: Buffer): unknown {
  const document = Buffer.alloc(value.byteLength + 8);
  document.writeInt32LE(document.byteLength, 0);
  document[4] = type;
  document.write('v', 5);
  value.copy(document, 7);
  return BSON.deserialize(document, EXACTLY).v;
}

/** Canonical extended JSON (version 2). */
export function formatExtended(value: OrderedValue): string {
  if (value instanceof Map) {
    const parts = [...value].map(([name, inner]) => `${JSON.stringify(name)}:${formatExtended(inner)}`);
    return `{${parts.join(',')}}`;
  }
  if (Array.isArray(value)) return `[${value.map(formatExtended).join(',')}]`;
  if (value === undefined) return '{"$undefined":true}';
  return BSON.EJSON.stringify(value, { relaxed: false });
}
