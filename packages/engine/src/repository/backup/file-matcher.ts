/**
 * Tells whether the node of a file in the text of a tree is, byte for byte, the one that would be written now. Nothing is
 * made of either: the text is gone along, piece by piece, and pieces that neighbours share are kept.
 */
import type { ListedItem } from '../../ports/source.ts';
import { ID_BYTES } from '../format/blob-id.ts';
import { toGoMode } from '../format/go-file-mode.ts';
import { isPlainName } from '../format/go-json.ts';
import { formatGoTime } from '../format/go-time.ts';

/** The text of a tree: its bytes, and the same with one character per byte. */
export interface TreeText {
  readonly bytes: Uint8Array;
  readonly text: string;
}

const NAME = '{"name":"';
const ATIME = '","atime":"';
const CTIME = '","ctime":"';
const SIZE = ',"size":';
const CONTENT = ',"links":1,"content":[';
const COMMA = 0x2c;
const QUOTE = 0x22;
const CLOSE_ARRAY = 0x5d;
const CLOSE_OBJECT = 0x7d;
const HEX_ID = 2 * ID_BYTES;
const FILE_TYPE_BITS = 0o170000;
const REGULAR_FILE = 0o100000;

/** Values of the hex digits that we write, by character code; 255 for everything else. */
const DIGIT_VALUES = new Uint8Array(256).fill(255);
for (const [value, digit] of [...'0123456789abcdef'].entries()) DIGIT_VALUES[digit.charCodeAt(0)] = value;

/** 1 for the characters that stand in JSON as they stand in a name. */
const PLAIN = Uint8Array.from({ length: 256 }, (_, code) => Number(isPlainName(String.fromCharCode(code))));

/** One bigint and its halves. */
const whole = new BigUint64Array(1);
const halves = new Uint32Array(whole.buffer);
const lowFirst = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;
const [LOW, HIGH] = lowFirst ? [0, 1] : [1, 0];

/** The number that a bigint below 2^64 is, rounded above 2^53. Faster than `Number`. */
export function toNumber(value: bigint): number {
  whole[0] = value;
  return (halves[HIGH] ?? 0) * 0x100000000 + (halves[LOW] ?? 0);
}

/** For one run. */
export class FileMatcher {
  readonly #isKnown: (id: Uint8Array) => boolean;
  readonly #id = Buffer.alloc(ID_BYTES);
  /** How far the comparing is. */
  #at = 0;
  #uid = -1n;
  #gid = -1n;
  #ownerText = '';
  #mode = -1n;
  #modeText = '';
  #device = -1n;
  #deviceText = '';

  /** `isKnown`: true for a data blob that is stored; the array is used again. */
  constructor(isKnown: (id: Uint8Array) => boolean) {
    this.#isKnown = isKnown;
  }

  /** Whose files are compared; `text` from `ownerFields`. */
  setOwner(uid: number, gid: number, text: string): void {
    this.#uid = BigInt(uid);
    this.#gid = BigInt(gid);
    this.#ownerText = `"${text},"inode":`;
  }

  /**
   * Where the node that begins at `at` ends, when it is that of this file and says what would be written now: a plain
   * name, one link, no attributes, the same owner, mode, times, inode, device and size, contents that are all known.
   * -1: it is not, or this cannot be told from the text.
   */
  endOf({ bytes, text }: TreeText, at: number, name: string, stats: ListedItem): number {
    if (!this.#isUsual(stats) || !text.startsWith(NAME, at)) return -1;
    this.#at = at + NAME.length;
    const isSame =
      this.#passName(bytes, name) &&
      this.#pass(text, this.#modeText) &&
      this.#passTimes(text, stats) &&
      this.#pass(text, this.#ownerText) &&
      this.#passNumber(bytes, stats.ino) &&
      this.#pass(text, this.#deviceText) &&
      (stats.size === 0n || (this.#pass(text, SIZE) && this.#passNumber(bytes, stats.size))) &&
      this.#pass(text, CONTENT);
    return isSame ? this.#endOfContent(bytes, this.#at) : -1;
  }

  /** False for what is no file of the owner at hand with one link. Also finds the texts for what neighbours share. */
  #isUsual({ nlink, uid, gid, ino, mode, dev }: ListedItem): boolean {
    if (nlink !== 1n || uid !== this.#uid || gid !== this.#gid || ino === 0n) return false;
    if (mode !== this.#mode) this.#setMode(mode);
    if (dev !== this.#device) {
      this.#device = dev;
      this.#deviceText = dev === 0n ? '' : `,"device_id":${dev}`;
    }
    return this.#modeText !== '';
  }

  #setMode(mode: bigint): void {
    this.#mode = mode;
    const bits = Number(mode);
    const goMode = toGoMode(bits & 0o7777, 'file');
    const text = `","type":"file"${goMode === 0 ? '' : `,"mode":${goMode}`},"mtime":"`;
    this.#modeText = (bits & FILE_TYPE_BITS) === REGULAR_FILE ? text : '';
  }

  #pass(text: string, piece: string): boolean {
    if (!text.startsWith(piece, this.#at)) return false;
    this.#at += piece.length;
    return true;
  }

  #passTimes(text: string, { mtimeNs, ctimeNs }: ListedItem): boolean {
    const mtime = formatGoTime(mtimeNs);
    if (!this.#pass(text, mtime) || !this.#pass(text, ATIME) || !this.#pass(text, mtime)) return false;
    return this.#pass(text, CTIME) && this.#pass(text, ctimeNs === mtimeNs ? mtime : formatGoTime(ctimeNs));
  }

  /** A plain name; that nothing else follows it the next piece shows. */
  #passName(bytes: Uint8Array, name: string): boolean {
    const at = this.#at;
    for (let index = 0; index < name.length; index += 1) {
      const code = name.charCodeAt(index);
      if (bytes[at + index] !== code || PLAIN[code] !== 1) return false;
    }
    this.#at = at + name.length;
    return true;
  }

  /** A number that is not zero. */
  #passNumber(bytes: Uint8Array, value: bigint): boolean {
    const wanted = toNumber(value);
    if (wanted > Number.MAX_SAFE_INTEGER) return this.#passDigits(bytes, String(value));
    let at = this.#at;
    let number = 0;
    let digit = (bytes[at] ?? 0) - 0x30;
    while (digit >= 0 && digit <= 9 && number <= wanted) {
      number = number * 10 + digit;
      at += 1;
      digit = (bytes[at] ?? 0) - 0x30;
    }
    const isSame = number === wanted && bytes[this.#at] !== 0x30;
    this.#at = at;
    return isSame;
  }

  #passDigits(bytes: Uint8Array, digits: string): boolean {
    for (let index = 0; index < digits.length; index += 1) {
      if (bytes[this.#at + index] !== digits.charCodeAt(index)) return false;
    }
    this.#at += digits.length;
    return true;
  }

  /** End of the node whose list of ids begins at `from`; -1: not all of them are known, or there is more. */
  #endOfContent(bytes: Uint8Array, from: number): number {
    let at = from;
    while (bytes[at] === QUOTE) {
      if (!readLowerHex(bytes, at + 1, this.#id) || bytes[at + HEX_ID + 1] !== QUOTE) return -1;
      if (!this.#isKnown(this.#id)) return -1;
      at += HEX_ID + 2;
      // Behind a comma there must be another.
      if (bytes[at] === COMMA && bytes[at + 1] === QUOTE) at += 1;
      else break;
    }
    return bytes[at] === CLOSE_ARRAY && bytes[at + 1] === CLOSE_OBJECT ? at + 2 : -1;
  }
}

/** Fills `target`; false when there are others than small hex digits. */
function readLowerHex(bytes: Uint8Array, from: number, target: Uint8Array): boolean {
  let seen = 0;
  for (let index = 0; index < ID_BYTES; index += 1) {
    const high = DIGIT_VALUES[bytes[from + 2 * index] ?? 0] ?? 255;
    const low = DIGIT_VALUES[bytes[from + 2 * index + 1] ?? 0] ?? 255;
    seen |= high | low;
    target[index] = (high << 4) | low;
  }
  return seen <= 15;
}
