/** Extended JSON read with the order of its names kept, which `JSON.parse` changes where they look like numbers. */
import { BSON } from 'mongodb';
import type { OrderedDocument, OrderedValue } from './bson-ordered.ts';

/** Text that is no extended JSON. */
export class ExtendedJsonError extends Error {}

const TOKEN = /\s*(?:("[^"\\]*(?:\\.[^"\\]*)*")|(-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)|(true|false|null)|([{}[\],:]))/y;
/** A document whose first name is one of these is a value. Others with a dollar are operators. */
const VALUE_NAMES = new Set([
  ...['$oid', '$numberInt', '$numberLong', '$numberDouble', '$numberDecimal', '$binary', '$uuid', '$code', '$symbol'],
  ...['$timestamp', '$regularExpression', '$dbPointer', '$date', '$minKey', '$maxKey', '$undefined'],
]);
const MAX_DEPTH = 250;

class ExtendedJsonParser {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  document(): OrderedDocument {
    const value = this.#value(this.#next(), 0);
    if (!(value instanceof Map) || this.#text.slice(this.#at).trim() !== '') throw new ExtendedJsonError('no document');
    return value;
  }

  #next(): string {
    TOKEN.lastIndex = this.#at;
    const found = TOKEN.exec(this.#text);
    if (!found) throw new ExtendedJsonError(`no JSON at ${this.#at}`);
    this.#at = TOKEN.lastIndex;
    return found[1] ?? found[2] ?? found[3] ?? (found[4] as string);
  }

  #value(token: string, depth: number): OrderedValue {
    if (depth > MAX_DEPTH) throw new ExtendedJsonError('too deep');
    if (token === '{') return this.#members(depth);
    if (token === '[') return this.#items(depth);
    if (/^["tfn]/.test(token)) return JSON.parse(token);
    if (!/^[-\d]/.test(token)) throw new ExtendedJsonError(`"${token}" in the wrong place`);
    return numberOf(token);
  }

  #members(depth: number): OrderedValue {
    const from = this.#at - 1;
    const members: OrderedDocument = new Map();
    for (let token = this.#next(); token !== '}'; ) {
      if (!token.startsWith('"')) throw new ExtendedJsonError('a name is missing');
      const name: string = JSON.parse(token);
      this.#expect(':');
      members.set(name, this.#value(this.#next(), depth + 1));
      token = this.#separator('}');
    }
    const [first] = members.keys();
    if (first === undefined || !VALUE_NAMES.has(first)) return members;
    return BSON.EJSON.parse(this.#text.slice(from, this.#at), { relaxed: false });
  }

  #items(depth: number): OrderedValue[] {
    const items: OrderedValue[] = [];
    for (let token = this.#next(); token !== ']'; ) {
      items.push(this.#value(token, depth + 1));
      token = this.#separator(']');
    }
    return items;
  }

  /** The token behind a comma, or the end. */
  #separator(end: string): string {
    const token = this.#next();
    if (token === end) return token;
    if (token !== ',') throw new ExtendedJsonError('a comma is missing');
    const next = this.#next();
    if (next === end) throw new ExtendedJsonError('a comma too many');
    return next;
  }

  #expect(wanted: string): void {
    if (this.#next() !== wanted) throw new ExtendedJsonError(`a "${wanted}" is missing`);
  }
}

/** As tools before version 100 wrote them: the smallest type that holds it. */
function numberOf(token: string): unknown {
  if (!/^-?\d+$/.test(token)) return new BSON.Double(Number(token));
  const value = BigInt(token);
  if (value === BigInt.asIntN(32, value)) return new BSON.Int32(Number(value));
  return value === BigInt.asIntN(64, value) ? BSON.Long.fromBigInt(value) : new BSON.Double(Number(token));
}

/** Throws ExtendedJsonError. */
export function parseExtended(text: string): OrderedDocument {
  try {
    return new ExtendedJsonParser(text).document();
  } catch (error) {
    if (error instanceof ExtendedJsonError) throw error;
    throw new ExtendedJsonError('it holds a value that is none', { cause: error });
  }
}
