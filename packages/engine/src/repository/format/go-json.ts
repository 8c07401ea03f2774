/**
 * Texts as Go writes them: the strings of `encoding/json`, and file names, which restic stores as the inner text of
 * `strconv.Quote` over their raw bytes (so that names that are not UTF-8 survive JSON).
 */
import { isUtf8 } from 'node:buffer';
import { AppError } from '@backupx/contracts/errors';
import { isGoPrintable } from './go-printable.ts';

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what JSON escapes
const JSON_SPECIAL = /["\\<>&\u0000-\u001f\u2028\u2029\ud800-\udfff]/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: as above
const JSON_ESCAPED = /["\\<>&\u0000-\u001f\u2028\u2029]|[\ud800-\udbff][\udc00-\udfff]|[\ud800-\udfff]/g;
const SHORT_ESCAPES: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  // Go 1.22 and later; before, \u0008 and \u000c.
  '\b': '\\b',
  '\f': '\\f',
};

function escapeForJson(character: string): string {
  if (character.length === 2) return character;
  const short = SHORT_ESCAPES[character];
  if (short) return short;
  const code = character.charCodeAt(0);
  return code >= 0xd800 && code <= 0xdfff ? '\\ufffd' : `\\u${code.toString(16).padStart(4, '0')}`;
}

/** A JSON string with its quotes, as Go writes it: also `<`, `>`, `&`, U+2028 and U+2029 are escaped. */
export function goJsonString(text: string): string {
  return JSON_SPECIAL.test(text) ? `"${text.replace(JSON_ESCAPED, escapeForJson)}"` : `"${text}"`;
}

/** JSON with Go's escapes; fields that are undefined are left out. */
export function goJson(value: unknown): string {
  if (typeof value === 'string') return goJsonString(value);
  if (Array.isArray(value)) return `[${value.map(goJson).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const fields = Object.entries(value).filter(([, field]) => field !== undefined);
  return `{${fields.map(([key, field]) => `${goJsonString(key)}:${goJson(field)}`).join(',')}}`;
}

/** Like `goJsonString` for bytes that should be UTF-8; each byte that is not becomes `\ufffd`. */
export function goJsonBytes(bytes: Buffer): string {
  if (isUtf8(bytes)) return goJsonString(bytes.toString('utf8'));
  let text = '"';
  forEachRune(bytes, (rune) => {
    text += rune < 0 ? '\\ufffd' : goJsonString(String.fromCodePoint(rune)).slice(1, -1);
  });
  return `${text}"`;
}

/** Letters, digits and signs that neither `strconv.Quote` nor JSON changes. */
const PLAIN_NAME = /^[ !#-%'-;=?-[\]-~]*$/;

/** True for a file name (one character per byte) that stands in JSON as it is. */
export function isPlainName(name: string): boolean {
  return PLAIN_NAME.test(name);
}

/** A file name as restic's JSON holds it, with its quotes. */
export function goNameJson(name: Buffer): string {
  const text = name.toString('latin1');
  return isPlainName(text) ? `"${text}"` : goJsonString(quoteName(name));
}

const QUOTE_ESCAPES: Readonly<Record<number, string>> = {
  7: '\\a',
  8: '\\b',
  9: '\\t',
  10: '\\n',
  11: '\\v',
  12: '\\f',
  13: '\\r',
  34: '\\"',
  92: '\\\\',
};

/** The inner text of Go's `strconv.Quote` over raw bytes. */
export function quoteName(name: Buffer): string {
  let text = '';
  forEachRune(name, (rune) => {
    text += rune < 0 ? `\\x${hexDigits(-rune - 1, 2)}` : quoteRune(rune);
  });
  return text;
}

function quoteRune(rune: number): string {
  const short = QUOTE_ESCAPES[rune];
  if (short) return short;
  if (isGoPrintable(rune)) return String.fromCodePoint(rune);
  if (rune < 0x20 || rune === 0x7f) return `\\x${hexDigits(rune, 2)}`;
  return rune < 0x10000 ? `\\u${hexDigits(rune, 4)}` : `\\U${hexDigits(rune, 8)}`;
}

function hexDigits(value: number, width: number): string {
  return value.toString(16).padStart(width, '0');
}

/** Calls with each character; a byte `b` that belongs to none comes as `-b - 1`. */
function forEachRune(bytes: Buffer, onRune: (rune: number) => void): void {
  for (let at = 0; at < bytes.length; ) {
    const lead = bytes[at] ?? 0;
    const length = sequenceLength(bytes, at);
    if (length <= 1) onRune(length === 0 ? -lead - 1 : lead);
    else onRune(bytes.toString('utf8', at, at + length).codePointAt(0) ?? 0);
    at += Math.max(1, length);
  }
}

/** Bytes of the character that begins at `at`; 0: none does. */
function sequenceLength(bytes: Buffer, at: number): number {
  const lead = bytes[at] ?? 0;
  if (lead < 0x80) return 1;
  const length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  const isWhole = at + length <= bytes.length && isUtf8(bytes.subarray(at, at + length));
  return isWhole ? length : 0;
}

/** One escape of a quoted name: what follows the backslash. */
const NAME_ESCAPE = /\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|([abfnrtv\\"']))?/g;
const ESCAPED_BYTES: Readonly<Record<string, number>> = { a: 7, b: 8, t: 9, n: 10, v: 11, f: 12, r: 13 };

/** The bytes of a quoted name; the inverse of `quoteName`. Throws REPOSITORY_DAMAGED for an escape that is none. */
export function unquoteName(text: string): Buffer {
  if (!text.includes('\\')) return Buffer.from(text, 'utf8');
  const parts: Buffer[] = [];
  let copiedTo = 0;
  for (const match of text.matchAll(NAME_ESCAPE)) {
    parts.push(Buffer.from(text.slice(copiedTo, match.index), 'utf8'), unescaped(match, text));
    copiedTo = match.index + match[0].length;
  }
  parts.push(Buffer.from(text.slice(copiedTo), 'utf8'));
  return Buffer.concat(parts);
}

function unescaped(match: RegExpMatchArray, text: string): Buffer {
  const [, byte, short, long, octal, letter] = match;
  if (byte !== undefined) return Buffer.of(Number.parseInt(byte, 16));
  if (letter !== undefined) return Buffer.of(ESCAPED_BYTES[letter] ?? letter.charCodeAt(0));
  const codePoint = Number.parseInt(short ?? long ?? '', 16);
  if (codePoint <= 0x10ffff) return Buffer.from(String.fromCodePoint(codePoint), 'utf8');
  const octalByte = Number.parseInt(octal ?? '', 8);
  if (octalByte <= 0xff) return Buffer.of(octalByte);
  throw new AppError('REPOSITORY_DAMAGED', { reason: `${JSON.stringify(text.slice(0, 80))} is not a file name` });
}
