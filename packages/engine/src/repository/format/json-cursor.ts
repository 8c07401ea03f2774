/**
 * A reader of JSON that goes over the bytes once and makes no objects: an index names millions of blobs and a backup
 * reads the trees of a million files, and texts for their ids would cost more than everything else. Strings are compared
 * and converted in place.
 */
import { AppError } from '@backupx/contracts/errors';
import { parseTimeBytes } from './go-time.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
/** Levels of a value that is passed over: no program writes so many, and each costs a piece of the stack. */
const MAX_DEPTH = 500;

/** Values of hex digits by character code, 255 for everything else. */
const HEX_VALUES = new Uint8Array(256).fill(255);
for (const [value, digit] of [...'0123456789abcdef'].entries()) {
  HEX_VALUES[digit.charCodeAt(0)] = value;
  HEX_VALUES[digit.toUpperCase().charCodeAt(0)] = value;
}

/** Every method throws REPOSITORY_DAMAGED when the bytes are not what it expects. */
export class JsonCursor {
  readonly #bytes: Buffer;
  readonly #what: string;
  #at = 0;
  /** The key or string read last, without quotes. */
  #textFrom = 0;
  #textTo = 0;
  #hasEscapes = false;
  /** No element of the object or array just entered was read yet. */
  #isFirst = false;
  #isNullArray = false;

  /** `what`: how errors call the document. */
  constructor(bytes: Uint8Array, what: string) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#what = what;
  }

  get position(): number {
    return this.#at;
  }

  set position(at: number) {
    this.#at = at;
  }

  /** Goes into an object; then `nextField` until it is false. */
  enterObject(): void {
    this.#expect(0x7b);
    this.#isFirst = true;
  }

  /** Reads the next key, for `isText`; the caller reads or skips its value. False: the object has ended. */
  nextField(): boolean {
    if (!this.#nextOf(0x7d)) return false;
    this.#readString();
    this.#expect(COLON);
    return true;
  }

  /** Goes into an array; then `nextItem` until it is false. `null` counts as empty. */
  enterArray(): void {
    this.#isNullArray = this.skipNull();
    if (this.#isNullArray) return;
    this.#expect(0x5b);
    this.#isFirst = true;
  }

  /** Whether there is another item, which the caller reads or skips. */
  nextItem(): boolean {
    if (!this.#isNullArray) return this.#nextOf(0x5d);
    this.#isNullArray = false;
    return false;
  }

  /** Goes past the comma before the next element, or past the end. */
  #nextOf(end: number): boolean {
    const isFirst = this.#isFirst;
    this.#isFirst = false;
    if (this.#skipIf(end)) return false;
    if (!isFirst) this.#expect(COMMA);
    return true;
  }

  /** Whether the key or string read last is `text` (ASCII). */
  isText(text: string): boolean {
    if (this.#textTo - this.#textFrom !== text.length) return false;
    for (let index = 0; index < text.length; index += 1) {
      if (this.#bytes[this.#textFrom + index] !== text.charCodeAt(index)) return false;
    }
    return true;
  }

  /** Reads a string of hex digits that fills `target`. */
  readHex(target: Uint8Array): void {
    this.#readString();
    if (this.#textTo - this.#textFrom !== 2 * target.byteLength) throw this.damaged();
    let from = this.#textFrom;
    for (let index = 0; index < target.byteLength; index += 1) {
      const high = HEX_VALUES[this.#bytes[from] ?? 0] ?? 255;
      const low = HEX_VALUES[this.#bytes[from + 1] ?? 0] ?? 255;
      if ((high | low) > 15) throw this.damaged();
      target[index] = (high << 4) | low;
      from += 2;
    }
  }

  /** Reads a string for `isText`, `text` and `bytes`. */
  readText(): void {
    this.#readString();
  }

  /** The string read last. */
  text(): string {
    if (this.#hasEscapes) return this.#parse(this.#textFrom - 1, this.#textTo + 1) as string;
    return this.#bytes.toString('utf8', this.#textFrom, this.#textTo);
  }

  /** The string read last as a time, see `go-time.ts`. */
  time(): bigint {
    return parseTimeBytes(this.#bytes, this.#textFrom, this.#textTo);
  }

  /** The UTF-8 bytes of the string read last, as a view; null when it has escapes. */
  bytes(): Buffer | null {
    return this.#hasEscapes ? null : this.#bytes.subarray(this.#textFrom, this.#textTo);
  }

  /** Reads a value of any kind as objects, for what is rare. Numbers above 2^53 lose digits. */
  readValue(): unknown {
    this.#peek();
    const from = this.#at;
    this.skipValue();
    return this.#parse(from, this.#at);
  }

  #parse(from: number, to: number): unknown {
    try {
      return JSON.parse(this.#bytes.toString('utf8', from, to));
    } catch {
      throw this.damaged();
    }
  }

  /** True, and past it, when `null` comes next. */
  skipNull(): boolean {
    if (this.#peek() !== 0x6e) return false;
    this.#literal();
    return true;
  }

  /** Reads a whole number that is not negative; a bigint when it is above 2^53. */
  readInteger(): number | bigint {
    let digit = this.#peek() - 0x30;
    if (!(digit >= 0 && digit <= 9)) throw this.damaged();
    const from = this.#at;
    let value = 0;
    while (digit >= 0 && digit <= 9) {
      value = value * 10 + digit;
      this.#at += 1;
      digit = (this.#bytes[this.#at] ?? 0) - 0x30;
    }
    if (isNumberPart(digit + 0x30)) throw this.damaged();
    return value <= Number.MAX_SAFE_INTEGER ? value : BigInt(this.#bytes.toString('latin1', from, this.#at));
  }

  /** Reads a whole number from 0 to 2^32-1. */
  readCount(): number {
    const value = this.readInteger();
    if (typeof value !== 'number' || value > 0xffffffff) throw this.damaged();
    return value;
  }

  /** Goes past a value of any kind. */
  skipValue(): void {
    this.#skip(MAX_DEPTH);
  }

  /** `depth`: how many levels there may be. */
  #skip(depth: number): void {
    const first = this.#peek();
    if (depth === 0) throw this.damaged();
    if (first === QUOTE) this.#readString();
    else if (first === 0x7b) {
      this.enterObject();
      while (this.nextField()) this.#skip(depth - 1);
    } else if (first === 0x5b) {
      this.enterArray();
      while (this.nextItem()) this.#skip(depth - 1);
    } else this.#literal();
  }

  /** Nothing but white space may follow. */
  end(): void {
    if (!Number.isNaN(this.#peek())) throw this.damaged();
  }

  /** The next byte that is no white space; NaN at the end. */
  #peek(): number {
    for (;;) {
      const byte = this.#bytes[this.#at];
      if (byte === undefined) return Number.NaN;
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return byte;
      this.#at += 1;
    }
  }

  #skipIf(byte: number): boolean {
    if (this.#peek() !== byte) return false;
    this.#at += 1;
    return true;
  }

  #expect(byte: number): void {
    if (!this.#skipIf(byte)) throw this.damaged();
  }

  #readString(): void {
    this.#expect(QUOTE);
    const bytes = this.#bytes;
    let at = this.#at;
    let hasEscapes = false;
    for (;;) {
      const byte = bytes[at];
      if (byte === undefined) throw this.damaged();
      if (byte === QUOTE) break;
      if (byte === BACKSLASH) hasEscapes = true;
      at += byte === BACKSLASH ? 2 : 1;
    }
    this.#textFrom = this.#at;
    this.#textTo = at;
    this.#hasEscapes = hasEscapes;
    this.#at = at + 1;
  }

  /** A number, true, false or null. */
  #literal(): void {
    this.#peek();
    const from = this.#at;
    while (isLiteral(this.#bytes[this.#at] ?? 0)) this.#at += 1;
    if (this.#at === from) throw this.damaged();
  }

  /** The error for what stands at the current position. */
  damaged(): AppError {
    return new AppError('REPOSITORY_DAMAGED', { reason: `${this.#what} is not as it should be at byte ${this.#at}` });
  }
}

/** What makes a number longer than its digits. */
function isNumberPart(byte: number): boolean {
  return byte === 0x2e || byte === 0x65 || byte === 0x45;
}

/** Letters, digits, `+`, `-`, `.`. */
function isLiteral(byte: number): boolean {
  return (byte >= 0x61 && byte <= 0x7a) || (byte >= 0x30 && byte <= 0x39) || [0x2b, 0x2d, 0x2e, 0x45].includes(byte);
}
