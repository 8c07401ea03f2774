/** What bytes mean in SQL, where no quote and no comment is open. */

export const QUOTE = 0x27;
export const OPENING = 0x28;
export const CLOSING = 0x29;
export const MINUS = 0x2d;
export const BACKTICK = 0x60;
export const BACKSLASH = 0x5c;
export const LINE_FEED = 0x0a;

/** Nothing that needs looking ahead is longer: `/*M!100500`, delimiters. */
export const LOOK_AHEAD = 24;

/** 1: can be part of a word. */
export const IS_WORD = new Uint8Array(256);
/** 1: means something also in code that is not looked at word by word. */
export const IS_SIGN = new Uint8Array(256);
for (let byte = 0; byte < 256; byte++) {
  IS_WORD[byte] = /[A-Za-z0-9_$]/.test(String.fromCharCode(byte)) || byte >= 0x80 ? 1 : 0;
}
for (const sign of '\'"`()-/*#;') IS_SIGN[sign.charCodeAt(0)] = 1;

/** `# …`, or `-- …` with a space or less behind it. */
export function isLineComment(buffer: Buffer, at: number): boolean {
  if (buffer[at] === 0x23) return true;
  return buffer[at] === 0x2d && buffer[at + 1] === 0x2d && (buffer[at + 2] ?? 0x20) <= 0x20;
}

/** Bytes of what begins a comment that is code for some versions; 0: the comment here is one for all. */
export function conditionalStart(buffer: Buffer, at: number): number {
  const start = /^\/\*M?!(\d{5,6})?/.exec(buffer.toString('latin1', at, at + LOOK_AHEAD));
  // `999999` is no version: a line for the client of MariaDB alone, a comment for everything else.
  return !start || start[1] === '999999' ? 0 : start[0].length;
}
