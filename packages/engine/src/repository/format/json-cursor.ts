/**
 * A reader of JSON that goes over the bytes once and makes no objects: an index names millions of blobs, and texts for
 * their ids would cost more than the index itself. Strings are compared and converted in place.
 */
import { AppError } from '@backupx/contracts/errors';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;

/** Values of hex digits by character code, 255 for everything else. */
const HEX_VALUES = new Uint8Array(256).fill(255);
for (const [value, digit] of [...'0123456789abcdef'].entries()) {
  HEX_VALUES[digit.charCodeAt(0)] = value;
  HEX_VALUES[digit.toUpperCase().charCodeAt(0)] = value;
}

/** Every method throws REPOSITORY_DAMAGED when the bytes are not what it expects. */
export class JsonCursor {
  readonly #bytes: Uint8Array;
  #at = 0;
  /** The key or string read last, without quotes. */
  #textFrom = 0;
  #textTo = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get position(): number {
    return this.#at;
  }

  set position(at: number) {
    this.#at = at;
  }

  /** Calls `onField` at each value of an object, which it must read or skip; `isKey` tells which it is. */
  readObject(onField: () => void): void {
    this.#expect(0x7b);
    if (this.#skipIf(0x7d)) return;
    do {
      this.#readString();
      this.#expect(COLON);
      onField();
    } while (this.#skipIf(COMMA));
    this.#expect(0x7d);
  }

  /** Calls `onItem` at each value of an array, which it must read or skip. `null` counts as empty. */
  readArray(onItem: () => void): void {
    if (this.#peek() === 0x6e) {
      this.#literal();
      return;
    }
    this.#expect(0x5b);
    if (this.#skipIf(0x5d)) return;
    do onItem();
    while (this.#skipIf(COMMA));
    this.#expect(0x5d);
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

  /** Reads a string for `isText`. */
  readText(): void {
    this.#readString();
  }

  /** Reads a whole number from 0 to 2^32-1. */
  readCount(): number {
    let digit = this.#peek() - 0x30;
    if (!(digit >= 0 && digit <= 9)) throw this.damaged();
    let value = 0;
    while (digit >= 0 && digit <= 9) {
      value = value * 10 + digit;
      this.#at += 1;
      digit = (this.#bytes[this.#at] ?? 0) - 0x30;
    }
    if (value > 0xffffffff || [0x2e - 0x30, 0x65 - 0x30, 0x45 - 0x30].includes(digit)) throw this.damaged();
    return value;
  }

  /** Goes past a value of any kind. */
  skipValue(): void {
    const first = this.#peek();
    if (first === QUOTE) this.#readString();
    else if (first === 0x7b) this.readObject(() => this.skipValue());
    else if (first === 0x5b) this.readArray(() => this.skipValue());
    else this.#literal();
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
    this.#textFrom = this.#at;
    for (;;) {
      const byte = this.#bytes[this.#at];
      if (byte === undefined) throw this.damaged();
      if (byte === QUOTE) break;
      this.#at += byte === BACKSLASH ? 2 : 1;
    }
    this.#textTo = this.#at;
    this.#at += 1;
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
    return new AppError('REPOSITORY_DAMAGED', { reason: `an index is not as it should be at byte ${this.#at}` });
  }
}

/** Letters, digits, `+`, `-`, `.`. */
function isLiteral(byte: number): boolean {
  return (byte >= 0x61 && byte <= 0x7a) || (byte >= 0x30 && byte <= 0x39) || [0x2b, 0x2d, 0x2e, 0x45].includes(byte);
}
