/**
 * The elements of a BSON document as they stand, in their order, doubles among them: documents of the language sort
 * names that look like numbers before others, and keep one of two equal names.
 */

/** Bytes that are no BSON document. */
export class BsonError extends Error {}

export interface BsonElement {
  readonly type: number;
  readonly name: string;
  /** The value alone, a view of the document. */
  readonly value: Buffer;
}

export const BSON_STRING = 0x02;
export const BSON_DOCUMENT = 0x03;
export const BSON_ARRAY = 0x04;
export const BSON_BOOLEAN = 0x08;
export const BSON_INT32 = 0x10;
export const BSON_TIMESTAMP = 0x11;
export const BSON_INT64 = 0x12;

const FIXED_SIZES: Readonly<Record<number, number>> = {
  1: 8,
  6: 0,
  7: 12,
  [BSON_BOOLEAN]: 1,
  9: 8,
  10: 0,
  [BSON_INT32]: 4,
  [BSON_TIMESTAMP]: 8,
  [BSON_INT64]: 8,
  19: 16,
  127: 0,
  255: 0,
};
/** How much more than the length before them there is. */
const COUNTED_SIZES: Readonly<Record<number, number>> = {
  [BSON_STRING]: 4,
  [BSON_DOCUMENT]: 0,
  [BSON_ARRAY]: 0,
  5: 5,
  12: 16,
  13: 4,
  14: 4,
  15: 0,
};
const REGULAR_EXPRESSION = 0x0b;

/** Throws BsonError. What is within values is not looked at. */
export function readElements(document: Uint8Array): BsonElement[] {
  const bytes = Buffer.from(document.buffer, document.byteOffset, document.byteLength);
  const end = bytes.byteLength - 1;
  if (end < 4 || bytes.readInt32LE(0) !== bytes.byteLength || bytes[end] !== 0) throw new BsonError('no document');
  const elements: BsonElement[] = [];
  for (let at = 4; at < end; ) {
    const type = bytes[at] as number;
    const from = endOfText(bytes, at + 1);
    const to = from + sizeOfValue(bytes, type, from);
    if (to > end) throw new BsonError('a value goes beyond its document');
    elements.push({ type, name: bytes.toString('utf8', at + 1, from - 1), value: bytes.subarray(from, to) });
    at = to;
  }
  return elements;
}

/** Behind the zero that ends it. */
function endOfText(bytes: Buffer, from: number): number {
  const zero = bytes.indexOf(0, from);
  if (zero < 0) throw new BsonError('a name without an end');
  return zero + 1;
}

function sizeOfValue(bytes: Buffer, type: number, from: number): number {
  const fixed = FIXED_SIZES[type];
  if (fixed !== undefined) return fixed;
  if (type === REGULAR_EXPRESSION) return endOfText(bytes, endOfText(bytes, from)) - from;
  const more = COUNTED_SIZES[type];
  if (more === undefined || from + 4 > bytes.byteLength) throw new BsonError(`a value of unknown type ${type}`);
  const length = bytes.readInt32LE(from);
  if (length < 0) throw new BsonError('a value of negative length');
  return length + more;
}

/** The text of a string value. Throws BsonError. */
export function textOf({ type, value }: BsonElement): string {
  const end = value.byteLength - 1;
  if (type !== BSON_STRING || end < 4 || value[end] !== 0) throw new BsonError('no text where there should be one');
  return value.toString('utf8', 4, end);
}
