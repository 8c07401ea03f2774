/**
 * Cuts the rows of a dump into statements by what is in them. A dump program begins a new `INSERT` whenever a buffer is
 * full, so one longer row moves every later beginning, and a repository would store all that follows again. Here a row
 * alone decides whether a statement ends behind it: equal rows give equal statements, whatever stands before them.
 * Nothing else of the dump is touched; what does not look as the programs write it passes as it is.
 */
import type { DumpPiece } from './dump-scanner.ts';

/** Statements are as long as this on average. Smaller ones come back no faster, larger ones spread a change further. */
const MEAN_STATEMENT_BYTES = 32 * 1024;
/** Equal rows, of which none ends a statement, must not outgrow what a server takes at once (1 MiB at least). */
const MAX_STATEMENT_BYTES = 512 * 1024;
/** A row as long as this has a statement of its own: as it came, it may be all that a server takes at once. */
const LONG_ROW_BYTES = MEAN_STATEMENT_BYTES;
const MAX_HEAD_BYTES = 64 * 1024;
/** Bytes of a row that decide: its first columns, the key nearly always. */
const DECIDING_BYTES = 64;
/** Nothing but this may stand before the first row: a table's name may hold a line feed and words. */
const HEAD = /^\n?((?:INSERT|REPLACE) [^\n]+ VALUES[ \n])$/;
const NOTHING = Buffer.alloc(0);
const END = Buffer.from(';');
const COMMA = 0x2c;
const LINE_FEED = 0x0a;

/** FNV-1a, 32 bits. Source: Fowler, Noll and Vo. */
const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/** See above. Takes all pieces of one dump in order, of a scanner that `wantsRows`. */
export class RowStatements {
  #out: Buffer[] = [];
  /** What a statement for more rows of this table begins with; null: these rows pass as they are. */
  #head: Buffer | null = null;
  /** Between two rows. */
  #gap = NOTHING;
  #isInStatement = false;
  /** What came of the statement before its first row; null: that has come. */
  #opening: Buffer[] | null = null;
  /** The end of a statement of `#head` that is held back: the next may go on with it. */
  #isEndHeld = false;
  /** May be the beginning of a gap. */
  #tail = NOTHING;
  #memory: Buffer = NOTHING;
  #hash = FNV_OFFSET;
  #rowBytes = 0;
  #statementBytes = 0;
  /** What the row began with in earlier pieces, while it is held back behind a gap: a long one ends the statement before it. */
  #held: Buffer[] | null = null;
  /** The piece that is looked at, and from where on nothing of it has been handed on: most of it goes as it came. */
  #bytes: Buffer = NOTHING;
  #from = 0;
  /** Where in it the gap is behind which a row is held back; -1: none is, or it began earlier. */
  #heldAt = -1;

  /** Takes the pieces of one `push`. Answers what may be handed on, as long as their memory is not used again. */
  take(pieces: readonly DumpPiece[]): Buffer[] {
    for (const piece of pieces) this.#takePiece(piece);
    return this.#handOn();
  }

  /** The last bytes. */
  end(): Buffer[] {
    this.#endRows();
    return this.#handOn();
  }

  #handOn(): Buffer[] {
    const out = this.#out;
    this.#out = [];
    return out;
  }

  #takePiece(piece: DumpPiece): void {
    const verb = piece.statement?.verb;
    if ((verb !== 'INSERT' && verb !== 'REPLACE') || piece.delimiter !== ';') {
      this.#endRows();
      this.#out.push(piece.bytes);
      return;
    }
    if (!this.#isInStatement) this.#opening = [];
    this.#isInStatement = !piece.isEnd;
    const from = this.#opening ? this.#takeOpening(piece, this.#opening) : 0;
    if (this.#opening) return;
    if (this.#head) this.#takeRows(piece, from);
    else this.#out.push(piece.bytes.subarray(from));
  }

  /** Answers where the first row begins. */
  #takeOpening({ bytes, rows, isEnd }: DumpPiece, opening: Buffer[]): number {
    const first = rows[0] ?? bytes.length;
    opening.push(Buffer.from(bytes.subarray(0, first)));
    const size = opening.reduce((sum, part) => sum + part.length, 0);
    if (rows.length === 0 && !isEnd && size <= MAX_HEAD_BYTES) return first;
    this.#opening = null;
    this.#begin(Buffer.concat(opening), rows.length > 0);
    return first;
  }

  #begin(opening: Buffer, hasRows: boolean): void {
    if (this.#isEndHeld && this.#head && hasRows && opening.equals(this.#head)) {
      this.#isEndHeld = false;
      this.#between();
      return;
    }
    this.#endRows();
    this.#out.push(opening);
    const line = hasRows ? HEAD.exec(opening.toString('latin1'))?.[1] : undefined;
    this.#head = line === undefined ? null : Buffer.from(`\n${line}`, 'latin1');
    this.#gap = Buffer.from(line?.endsWith('\n') ? ',\n' : ',');
    this.#statementBytes = 0;
    this.#beginRow();
  }

  #takeRows(piece: DumpPiece, from: number): void {
    const shift = this.#tail.length;
    const bytes = shift > 0 ? this.#joined(piece.bytes) : piece.bytes;
    this.#tail = NOTHING;
    this.#bytes = bytes;
    let at = from === 0 ? 0 : from + shift;
    this.#from = at;
    for (const row of piece.rows) {
      const start = row + shift;
      if (row === from && from > 0) continue;
      const gap = start - this.#gap.length;
      if (gap < at || !this.#isGapBefore(start)) continue;
      this.#passRow(at, gap);
      this.#between(gap);
      at = start;
    }
    this.#takeRest(piece.isEnd, at);
  }

  /** Behind the tail, which the piece before has left: the last of its `push`. */
  #joined(bytes: Buffer): Buffer {
    const size = this.#tail.length + bytes.length;
    if (size > this.#memory.length) this.#memory = Buffer.allocUnsafeSlow(size);
    this.#memory.set(this.#tail, 0);
    this.#memory.set(bytes, this.#tail.length);
    return this.#memory.subarray(0, size);
  }

  /** What follows the last gap of a piece. */
  #takeRest(isEnd: boolean, at: number): void {
    const bytes = this.#bytes;
    if (isEnd && bytes.at(-1) === END[0]) {
      this.#passRow(at, bytes.length - 1);
      this.#leave(bytes.length - 1);
      this.#isEndHeld = true;
      return;
    }
    const end = isEnd ? bytes.length : Math.max(at, bytes.length - this.#gap.length);
    this.#passRow(at, end);
    this.#leave(end);
    this.#tail = Buffer.from(bytes.subarray(end));
    if (!isEnd) return;
    this.#release();
    this.#head = null;
  }

  #isGapBefore(start: number): boolean {
    const bytes = this.#bytes;
    if (this.#gap.length === 1) return bytes[start - 1] === COMMA;
    return bytes[start - 2] === COMMA && bytes[start - 1] === LINE_FEED;
  }

  #passRow(from: number, to: number): void {
    const bytes = this.#bytes;
    let hash = this.#hash;
    const end = Math.min(to, from + DECIDING_BYTES - this.#rowBytes);
    for (let at = from; at < end; at++) hash = Math.imul(hash ^ (bytes[at] ?? 0), FNV_PRIME);
    this.#hash = hash;
    this.#rowBytes += to - from;
    if (this.#rowBytes >= LONG_ROW_BYTES) this.#standAlone();
  }

  /** A long row that is held back begins a statement. */
  #standAlone(): void {
    const isHere = this.#heldAt >= 0;
    if (!this.#head || (!isHere && !this.#held)) return;
    if (isHere) this.#handOnTo(this.#heldAt, this.#heldAt + this.#gap.length);
    this.#out.push(END, this.#head, ...(this.#held ?? []));
    this.#statementBytes = 0;
    this.#held = null;
    this.#heldAt = -1;
  }

  /** Hands on the piece as far as `to`; it goes on at `next`. */
  #handOnTo(to: number, next: number): void {
    if (to > this.#from) this.#out.push(this.#bytes.subarray(this.#from, to));
    this.#from = next;
  }

  /** The piece has been looked at as far as `end`; what is held back of it is kept. */
  #leave(end: number): void {
    if (this.#heldAt >= 0) {
      this.#handOnTo(this.#heldAt, this.#heldAt + this.#gap.length);
      this.#held = [];
      this.#heldAt = -1;
    }
    if (this.#held) this.#held.push(Buffer.from(this.#bytes.subarray(this.#from, end)));
    else this.#handOnTo(end, end);
    this.#bytes = NOTHING;
  }

  /** A row that was held back goes into the same statement. */
  #release(): void {
    this.#heldAt = -1;
    if (!this.#held) return;
    this.#out.push(this.#gap, ...this.#held);
    this.#held = null;
  }

  /** A row has ended and another follows; `gap`: where that between them is, -1: in no piece. */
  #between(gap = -1): void {
    this.#release();
    this.#statementBytes += this.#rowBytes + this.#gap.length;
    const isLast =
      this.#statementBytes >= MAX_STATEMENT_BYTES ||
      mixed(this.#hash) / 2 ** 32 < this.#rowBytes / MEAN_STATEMENT_BYTES;
    if (isLast && this.#head) {
      if (gap >= 0) this.#handOnTo(gap, gap + this.#gap.length);
      this.#out.push(END, this.#head);
      this.#statementBytes = 0;
    } else if (gap >= 0) this.#heldAt = gap;
    else this.#held = [];
    this.#beginRow();
  }

  #beginRow(): void {
    this.#hash = FNV_OFFSET;
    this.#rowBytes = 0;
  }

  #endRows(): void {
    this.#release();
    if (this.#tail.length > 0) this.#out.push(this.#tail);
    this.#tail = NOTHING;
    if (this.#isEndHeld) this.#out.push(END);
    this.#isEndHeld = false;
    this.#head = null;
  }
}

/** Spreads the last bytes that went in over all bits, as counters differ in these alone. Source: MurmurHash3's finish. */
function mixed(hash: number): number {
  let value = hash;
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return (value ^ (value >>> 16)) >>> 0;
}
