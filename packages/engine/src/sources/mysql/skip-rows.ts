/** Most of a dump is rows: nothing but quotes and brackets matters there, and this looks for nothing else. */
import { BACKSLASH, CLOSING, IS_SIGN, MINUS, OPENING, QUOTE } from './sql-bytes.ts';

/** What a lexer knows of where it is. */
interface Place {
  readonly buffer: Buffer;
  readonly hasBackslashEscapes: boolean;
  depth: number;
}

interface Skip {
  readonly from: number;
  readonly limit: number;
  /** The first byte of it. */
  readonly delimiter: number | undefined;
  /** A bracket that lies in no other one. */
  readonly onGroup: (at: number) => void;
}

/** Answers where something else may be, or a text that does not end well before the limit; the lexer goes on there. */
export function skipRows(place: Place, { from, limit, delimiter, onGroup }: Skip): number {
  const { buffer } = place;
  let at = from;
  while (at < limit) {
    const byte = buffer[at] ?? 0;
    if (byte === delimiter) return at;
    if (IS_SIGN[byte] === 0) {
      at += 1;
      continue;
    }
    if (byte === OPENING && place.depth === 0) onGroup(at);
    const next = pastSign(place, at, limit);
    if (next === -1) return at;
    at = next;
  }
  return at;
}

/** -1: the sign is none of rows. */
function pastSign(place: Place, at: number, limit: number): number {
  const { buffer } = place;
  switch (buffer[at] ?? 0) {
    case QUOTE:
      return endOfText(place, at + 1, limit);
    case OPENING:
      place.depth += 1;
      return at + 1;
    case CLOSING:
      place.depth -= 1;
      return at + 1;
    case MINUS:
      return buffer[at + 1] === MINUS ? -1 : at + 1;
    default:
      return -1;
  }
}

/** Behind the quote; -1: that cannot be told before the limit. */
function endOfText({ buffer, hasBackslashEscapes }: Place, from: number, limit: number): number {
  const escapeByte = hasBackslashEscapes ? BACKSLASH : -1;
  const last = limit - 1;
  for (let at = from; at < last; at++) {
    const byte = buffer[at] ?? 0;
    if (byte === escapeByte) at += 1;
    else if (byte === QUOTE) {
      if (buffer[at + 1] !== QUOTE) return at + 1;
      at += 1;
    }
  }
  return -1;
}
