/**
 * Paths as people see them: file names are bytes and need not be UTF-8, JSON and screens want text.
 * Valid UTF-8 is shown as it is, every other byte as `\xNN`; a backslash that already stands before `xNN` in the name
 * is shown as `\x5c`. So the text leads back to exactly the same bytes (`parseDisplayPath`).
 */
import { isUtf8 } from 'node:buffer';

const LOOKS_ESCAPED = /\\(?=x[0-9a-fA-F]{2})/g;
const ESCAPE = /\\x([0-9a-fA-F]{2})/g;

/** Length of the valid UTF-8 sequence at `start`, 0 when there is none. */
function sequenceLength(bytes: Buffer, start: number): number {
  const lead = bytes[start] ?? 0;
  if (lead < 0x80) return 1;
  const length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc2 ? 2 : 0;
  if (length === 0 || start + length > bytes.length) return 0;
  return isUtf8(bytes.subarray(start, start + length)) ? length : 0;
}

function hexEscape(byte: number): string {
  return `\\x${byte.toString(16).padStart(2, '0')}`;
}

/** Text for a path of raw bytes; the inverse of `parseDisplayPath`. */
export function displayPath(path: Uint8Array): string {
  const bytes = Buffer.from(path.buffer, path.byteOffset, path.byteLength);
  if (isUtf8(bytes)) return escapeBackslashes(bytes.toString('utf8'));
  let text = '';
  let validFrom = 0;
  let position = 0;
  while (position < bytes.length) {
    const length = sequenceLength(bytes, position);
    if (length > 0) {
      position += length;
      continue;
    }
    text += escapeBackslashes(bytes.toString('utf8', validFrom, position)) + hexEscape(bytes[position] ?? 0);
    position += 1;
    validFrom = position;
  }
  return text + escapeBackslashes(bytes.toString('utf8', validFrom));
}

function escapeBackslashes(text: string): string {
  return text.includes('\\x') ? text.replace(LOOKS_ESCAPED, '\\x5c') : text;
}

/** The bytes of a path written by `displayPath` (or typed by a user: `\xNN` means that byte). */
export function parseDisplayPath(text: string): Uint8Array {
  if (!text.includes('\\x')) return Buffer.from(text, 'utf8');
  const parts: Buffer[] = [];
  let copiedTo = 0;
  for (const match of text.matchAll(ESCAPE)) {
    parts.push(Buffer.from(text.slice(copiedTo, match.index), 'utf8'), Buffer.from(match[1] ?? '', 'hex'));
    copiedTo = match.index + match[0].length;
  }
  parts.push(Buffer.from(text.slice(copiedTo), 'utf8'));
  return Buffer.concat(parts);
}
