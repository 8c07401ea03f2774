/**
 * Reads SQL as the clients of MySQL and MariaDB do, piece by piece: strings, quoted names, comments (those for one
 * version only are code), delimiters. It never looks into data for words, so a text that holds `CREATE TABLE` is a text.
 */

import { skipRows } from './skip-rows.ts';
import {
  BACKSLASH,
  BACKTICK,
  CLOSING,
  conditionalStart,
  IS_WORD,
  isLineComment,
  LINE_FEED,
  LOOK_AHEAD,
  OPENING,
  QUOTE,
} from './sql-bytes.ts';
import type { LexerEvents, Token, TokenKind } from './sql-token.ts';

type State = 'code' | 'line-comment' | 'block-comment' | 'quoted' | 'word' | 'delimiter-line';

const MAX_TOKEN = 4096;
const NOTHING = Buffer.alloc(0);

/** See above. One per stream; `events` get offsets into the buffer that `push` was last given. */
export class SqlLexer {
  /** Off: between the words of a statement only brackets and delimiters are looked for. */
  wantsTokens = true;
  /** What is looked at: the rest of the last piece, and this one. */
  buffer: Buffer = NOTHING;
  depth = 0;
  /** False while the SQL mode says so. */
  hasBackslashEscapes = true;
  #state: State = 'code';
  #delimiter = Buffer.from(';');
  #quote = 0;
  #isEscaped = false;
  /** A quote was just closed; the same again means that it was part of the text. */
  #justClosed = 0;
  #token: number[] = [];
  #tokenStart = 0;
  #conditionalDepth = 0;
  #isAtStart = true;
  readonly #events: LexerEvents;

  constructor(events: LexerEvents) {
    this.#events = events;
  }

  /** True: nothing is open. */
  get isBetweenStatements(): boolean {
    return this.#state === 'code' && this.#isAtStart && this.#conditionalDepth === 0;
  }

  get delimiter(): string {
    return this.#delimiter.toString('utf8');
  }

  /**
   * Looks at `buffer`, which begins with what the last call did not look at; answers how much was looked at. At the end
   * all of it is.
   */
  push(buffer: Buffer, isEnd: boolean): number {
    this.buffer = buffer;
    const limit = isEnd ? buffer.length : Math.max(0, buffer.length - LOOK_AHEAD);
    let at = 0;
    while (at < limit) at = this.#step(at, limit);
    if (isEnd && this.#state === 'line-comment') this.#endComment(at);
    if (isEnd && this.#state === 'word') this.#endWord(at);
    if (isEnd && this.#justClosed !== 0) this.#endName(at);
    this.#tokenStart = -1;
    return at;
  }

  #step(at: number, limit: number): number {
    switch (this.#state) {
      case 'quoted':
        return this.#inQuotes(at, limit);
      case 'line-comment':
      case 'delimiter-line':
        return this.#inLine(at, limit);
      case 'block-comment':
        return this.#inBlockComment(at, limit);
      case 'word':
        return this.#inWord(at, limit);
      case 'code':
        return this.#inCode(at, limit);
    }
  }

  #inQuotes(from: number, limit: number): number {
    const { buffer, wantsTokens } = this;
    const quote = this.#quote;
    const escapeByte = quote !== BACKTICK && this.hasBackslashEscapes ? BACKSLASH : -1;
    let at = from;
    if (this.#isEscaped) {
      this.#isEscaped = false;
      this.#collect(buffer[at] ?? 0);
      at += 1;
    }
    for (; at < limit; at++) {
      const byte = buffer[at] ?? 0;
      if (byte === quote) {
        this.#state = 'code';
        this.#justClosed = quote;
        return at + 1;
      }
      if (byte === escapeByte) {
        if (at + 1 >= limit) {
          this.#isEscaped = true;
          return at + 1;
        }
        at += 1;
      } else if (wantsTokens) this.#collect(byte);
    }
    return at;
  }

  #collect(byte: number): void {
    if (this.wantsTokens && this.#token.length < MAX_TOKEN) this.#token.push(byte);
  }

  #inLine(from: number, limit: number): number {
    const { buffer } = this;
    const found = buffer.indexOf(LINE_FEED, from);
    const end = found === -1 || found >= limit ? limit : found;
    for (let at = from; at < end && this.#token.length < MAX_TOKEN; at++) this.#token.push(buffer[at] ?? 0);
    if (end !== found) return end;
    if (this.#state === 'line-comment') this.#endComment(end + 1);
    else this.#endDelimiterLine(end + 1);
    return end + 1;
  }

  #endComment(end: number): void {
    this.#state = 'code';
    const start = this.#tokenStart;
    this.#events.onComment(this.#takeToken().trim(), start, end);
  }

  #endDelimiterLine(end: number): void {
    this.#state = 'code';
    this.#delimiter = Buffer.from(this.#takeToken().trim() || ';');
    this.#isAtStart = true;
    this.#events.onDelimiterLine(end);
  }

  #inBlockComment(from: number, limit: number): number {
    const found = this.buffer.indexOf('*/', from);
    // Its two bytes may lie at the limit: then they are looked at next time.
    if (found === -1 || found >= limit) return limit;
    this.#state = 'code';
    return found + 2;
  }

  #inWord(from: number, limit: number): number {
    const { buffer } = this;
    let at = from;
    for (; at < limit; at++) {
      const byte = buffer[at] ?? 0;
      if (IS_WORD[byte] === 0) {
        this.#endWord(at);
        return at;
      }
      this.#collect(byte);
    }
    return at;
  }

  #endWord(end: number): void {
    const isFirst = this.#isAtStart;
    this.#isAtStart = false;
    this.#state = 'code';
    const start = this.#tokenStart;
    const value = this.#takeToken();
    if (isFirst && value.toUpperCase() === 'DELIMITER') {
      this.#state = 'delimiter-line';
      return;
    }
    this.#emit('word', { value, start, end });
  }

  #endName(end: number): void {
    const quote = this.#justClosed;
    this.#justClosed = 0;
    if (!this.wantsTokens) return;
    const start = this.#tokenStart;
    const value = this.#takeToken();
    this.#emit(quote === QUOTE ? 'text' : 'name', { value, start, end });
  }

  #emit(kind: TokenKind, token: Pick<Token, 'value' | 'start' | 'end'>): void {
    if (this.wantsTokens) this.#events.onToken({ kind, ...token, isConditional: this.#conditionalDepth > 0 });
  }

  #takeToken(): string {
    const text = Buffer.from(this.#token).toString('utf8');
    this.#token = [];
    return text;
  }

  #inCode(from: number, limit: number): number {
    const { buffer } = this;
    if (this.#justClosed !== 0) {
      if (buffer[from] === this.#justClosed) return this.#reopen(from);
      this.#endName(from);
    }
    let at = from;
    if (!this.wantsTokens) {
      at = skipRows(this, { from: at, limit, delimiter: this.#delimiter[0], onGroup: this.#events.onGroup });
      if (at >= limit) return at;
    }
    const byte = buffer[at] ?? 0;
    if (this.wantsTokens && IS_WORD[byte] === 1 && !this.#isDelimiterAt(at)) {
      this.#tokenStart = at;
      this.#state = 'word';
      return at;
    }
    return this.#atSign(byte, at);
  }

  #reopen(at: number): number {
    this.#collect(this.#justClosed);
    this.#state = 'quoted';
    this.#justClosed = 0;
    return at + 1;
  }

  #isDelimiterAt(at: number): boolean {
    const { length } = this.#delimiter;
    if (this.buffer[at] !== this.#delimiter[0]) return false;
    if (length === 1) return true;
    if (at + length > this.buffer.length) return false;
    return this.buffer.compare(this.#delimiter, 0, length, at, at + length) === 0;
  }

  #atSign(byte: number, at: number): number {
    if (byte === QUOTE || byte === 0x22 || byte === BACKTICK) return this.#openQuote(byte, at);
    if (this.#isDelimiterAt(at)) return this.#endStatement(at + this.#delimiter.length);
    const comment = this.#commentAt(byte, at);
    if (comment !== null) return comment;
    if (byte <= 0x20) return at + 1;
    this.#isAtStart = false;
    if (byte === OPENING) {
      if (!this.wantsTokens && this.depth === 0) this.#events.onGroup(at);
      this.depth += 1;
    } else if (byte === CLOSING) this.depth -= 1;
    this.#emit('sign', { value: String.fromCharCode(byte), start: at, end: at + 1 });
    return at + 1;
  }

  #openQuote(byte: number, at: number): number {
    this.#isAtStart = false;
    this.#tokenStart = at;
    this.#quote = byte;
    this.#state = 'quoted';
    return at + 1;
  }

  #endStatement(end: number): number {
    this.#isAtStart = true;
    this.#conditionalDepth = 0;
    this.depth = 0;
    this.#events.onDelimiter(end);
    return end;
  }

  /** Where code goes on (or the comment's content begins); null: there is no comment. */
  #commentAt(byte: number, at: number): number | null {
    const { buffer } = this;
    if (isLineComment(buffer, at)) {
      this.#tokenStart = at;
      this.#state = 'line-comment';
      return at + (byte === 0x23 ? 1 : 2);
    }
    const next = buffer[at + 1];
    if (byte === 0x2a && next === 0x2f && this.#conditionalDepth > 0) {
      this.#conditionalDepth -= 1;
      return at + 2;
    }
    if (byte !== 0x2f || next !== 0x2a) return null;
    const length = conditionalStart(buffer, at);
    if (length === 0) {
      this.#state = 'block-comment';
      return at + 2;
    }
    this.#conditionalDepth += 1;
    return at + length;
  }
}
