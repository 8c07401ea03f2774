/**
 * Words of a Backint line: separated by spaces, in double quotes where they hold one. Inside, `\"` is a quote; a backslash
 * before anything else is just a backslash.
 */
import { AppError } from '@backupx/contracts/errors';

/** A word as it was written, and what it means. */
export interface Word {
  readonly raw: string;
  readonly value: string;
}

// The escape is tried first, but a name may also end with a backslash: then the quote after it must be the closing one.
const QUOTED = /"((?:\\"|[^"])*)"(?=[ \t]|$)/y;
const PLAIN = /[^ \t"][^ \t]*/y;
const SPACE = /[ \t]*/y;

/** Cuts a line into words. Throws INVALID_INPUT where a quote is not closed. */
export function splitWords(line: string): Word[] {
  const words: Word[] = [];
  for (let at = skipSpace(line, 0); at < line.length; at = skipSpace(line, at)) {
    const pattern = line[at] === '"' ? QUOTED : PLAIN;
    pattern.lastIndex = at;
    const found = pattern.exec(line);
    if (!found) throw malformedLine(line);
    words.push({ raw: found[0], value: (found[1] ?? found[0]).replaceAll('\\"', '"') });
    at += found[0].length;
  }
  return words;
}

/** Writes a value so that `splitWords` reads it back. */
export function quoteWord(value: string): string {
  // Whoever takes the backslash for the escape of the closing quote would read on; without a space no quotes are needed.
  if (value.endsWith('\\') && !/[ \t"]/.test(value)) return value;
  return `"${value.replaceAll('"', '\\"')}"`;
}

/** The error of a line that has a known keyword but not its form: the whole call fails, nothing is skipped silently. */
export function malformedLine(line: string): AppError {
  const message = `not understood: ${line}`;
  return new AppError('INVALID_INPUT', {}, { fields: [{ path: 'input', code: 'malformed', message }] });
}

function skipSpace(line: string, at: number): number {
  SPACE.lastIndex = at;
  return at + (SPACE.exec(line)?.[0].length ?? 0);
}
