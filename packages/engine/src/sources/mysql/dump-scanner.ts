/**
 * Takes a dump apart while it passes: which statements it has, what they create, how many rows each table gets, and
 * whether the dump is whole. What a statement does is known before any byte of it is handed on.
 */
import { AppError } from '@backupx/contracts/errors';
import type { InventoryObject } from '../../ports/database-inventory.ts';
import { SqlLexer } from './sql-lexer.ts';
import type { Token } from './sql-token.ts';
import { readStatement, type Statement, upper } from './statement.ts';

/** A piece of a dump: of one statement, with the comments before it, or (null) of what follows the last. */
export interface DumpPiece {
  readonly statement: Statement | null;
  /** Memory of the scanner, which its next `push` uses again. */
  readonly bytes: Buffer;
  /** The last piece of its statement, with the delimiter. */
  readonly isEnd: boolean;
  /** What ends statements here: `;` or `;;`. */
  readonly delimiter: string;
  /** Where rows begin in `bytes`, for scanners that `wantsRows`. */
  readonly rows: readonly number[];
}

const TRAILER = 'Dump completed';
/** Lines that would make every dump of the same data another one; what they say is in `notes`. */
const POSITION_LINE =
  /^-- (?:CHANGE (?:MASTER|REPLICATION SOURCE) TO (?:MASTER|SOURCE)_LOG_FILE=|SET GLOBAL gtid_slave_pos=).*\n/gm;
const NOTE = /^(?:CHANGE (?:MASTER|REPLICATION SOURCE) TO |SET GLOBAL gtid_slave_pos=|insufficient privileges)/;
const MAX_HELD_BYTES = 4 * 1024 * 1024;
const SPARE_BYTES = 64 * 1024;
const NOTHING = Buffer.alloc(0);

/** See above. `push` all of it, then `end`; both answer pieces that together are the dump, without position lines. */
export class DumpScanner {
  /** Comments that say something of the whole dump. */
  readonly notes: string[] = [];
  isWhole = false;
  readonly #name: string;
  readonly #lexer: SqlLexer;
  readonly #rows = new Map<string, number>();
  readonly #created: InventoryObject[] = [];
  #pieces: DumpPiece[] = [];
  /** Used again and again: what is looked at, and what of it was not looked at yet. */
  #memory: Buffer = NOTHING;
  #rest: Buffer = NOTHING;
  /** Bytes of a statement whose first words did not all come yet, and how many of them stand before its first word. */
  #held: Buffer[] = [];
  #heldBytes = 0;
  #prefixBytes = 0;
  #from = 0;
  #tokens: Token[] = [];
  #statement: Statement | null = null;
  #isInValues = false;
  #lastComment = '';
  readonly #wantsRows: boolean;
  #rowStarts: number[] = [];

  /** `name`: of the database, for messages. */
  constructor(name: string, { wantsRows = false } = {}) {
    this.#name = name;
    this.#wantsRows = wantsRows;
    this.#lexer = new SqlLexer({
      onToken: (token) => this.#onToken(token),
      onGroup: (at) => this.#onGroup(at),
      onComment: (text) => this.#onComment(text),
      onDelimiter: (end) => this.#onDelimiter(end),
      onDelimiterLine: (end) => this.#onDelimiterLine(end),
    });
  }

  /** All that it creates, tables with their rows. */
  get objects(): InventoryObject[] {
    return this.#created.map((object) =>
      object.kind === 'table' ? { ...object, rows: this.#rows.get(object.name) ?? 0 } : object,
    );
  }

  /** Answers what may be handed on. Throws DATABASE_DUMP_DAMAGED for what no dump is. */
  push(chunk: Uint8Array): DumpPiece[] {
    return this.#scan(this.#joined(chunk), false);
  }

  /** The last pieces; then `isWhole` tells whether that was the end of a dump. */
  end(): DumpPiece[] {
    const pieces = this.#scan(this.#rest, true);
    const isOpen = !this.#lexer.isBetweenStatements || this.#tokens.length > 0;
    this.isWhole = !isOpen && this.#lastComment.startsWith(TRAILER);
    return pieces;
  }

  /** A buffer for each chunk would be gone at once, and memory like that costs more to free than a copy. */
  #joined(chunk: Uint8Array): Buffer {
    const rest = this.#rest;
    const size = rest.length + chunk.byteLength;
    if (size > this.#memory.length) this.#memory = Buffer.allocUnsafeSlow(size + SPARE_BYTES);
    // May be moved within itself.
    this.#memory.set(rest, 0);
    this.#memory.set(chunk, rest.length);
    return this.#memory.subarray(0, size);
  }

  #scan(buffer: Buffer, isEnd: boolean): DumpPiece[] {
    this.#pieces = [];
    this.#from = 0;
    const at = this.#lexer.push(buffer, isEnd);
    if (this.#statement) this.#emit(buffer.subarray(this.#from, at), false);
    else this.#hold(buffer.subarray(this.#from, at));
    if (isEnd) this.#release(true);
    this.#rest = buffer.subarray(at);
    return this.#pieces;
  }

  #hold(bytes: Buffer): void {
    if (bytes.length === 0) return;
    this.#held.push(Buffer.from(bytes));
    this.#heldBytes += bytes.length;
    if (this.#tokens.length === 0) this.#prefixBytes = this.#heldBytes;
    if (this.#heldBytes > MAX_HELD_BYTES) {
      throw new AppError('DATABASE_DUMP_DAMAGED', {
        name: this.#name,
        reason: 'it holds a statement of no known kind',
      });
    }
  }

  #emit(bytes: Buffer, isEnd: boolean): void {
    if (bytes.length === 0 && !isEnd) return;
    this.#pieces.push(this.#pieceOf(bytes, isEnd, this.#rowStarts));
    if (this.#rowStarts.length > 0) this.#rowStarts = [];
  }

  #pieceOf(bytes: Buffer, isEnd: boolean, rows: readonly number[]): DumpPiece {
    return { statement: this.#statement, bytes, isEnd, delimiter: this.#lexer.delimiter, rows };
  }

  /** Hands on what was held, without the lines that tell a position. */
  #release(isEnd: boolean): void {
    const held = Buffer.concat(this.#held);
    const prefix = held.toString('latin1', 0, this.#prefixBytes).replace(POSITION_LINE, '');
    const bytes = Buffer.concat([Buffer.from(prefix, 'latin1'), held.subarray(this.#prefixBytes)]);
    this.#held = [];
    this.#heldBytes = 0;
    this.#prefixBytes = 0;
    if (bytes.length > 0) this.#pieces.push(this.#pieceOf(bytes, isEnd, []));
  }

  #onToken(token: Token): void {
    if (this.#tokens.length === 0) {
      // What came before the first word in this very buffer belongs to the prefix.
      const start = token.start === -1 ? 0 : token.start;
      if (start > this.#from) {
        this.#hold(this.#lexer.buffer.subarray(this.#from, start));
        this.#from = start;
      }
    }
    this.#tokens.push(token);
    if (this.#statement === null) this.#classify(readStatement(this.#tokens, false));
    if (this.#statement !== null) this.#follow(token);
  }

  #classify(statement: Statement | null): void {
    if (!statement) return;
    this.#statement = statement;
    this.#release(false);
    if (statement.creates && statement.name !== null) {
      this.#created.push({ kind: statement.creates, name: statement.name });
    }
    // Nothing more is to be learned from most statements.
    const isFollowed = statement.verb === 'SET' || statement.verb === 'INSERT' || statement.verb === 'REPLACE';
    if (!isFollowed) this.#lexer.wantsTokens = false;
  }

  #follow(token: Token): void {
    const verb = this.#statement?.verb;
    if (verb === 'SET') this.#followSet(token);
    else if ((verb === 'INSERT' || verb === 'REPLACE') && this.#lexer.depth === 0 && /^VALUES?$/.test(upper(token))) {
      this.#isInValues = true;
      this.#lexer.wantsTokens = false;
    }
  }

  /** In this SQL mode a backslash is a letter like any other. */
  #followSet(token: Token): void {
    if (token.kind === 'sign' || upper(token) === 'SET') return;
    if (this.#tokens.some((item) => upper(item) === 'SQL_MODE')) {
      this.#lexer.hasBackslashEscapes = !(token.kind === 'text' && token.value.includes('NO_BACKSLASH_ESCAPES'));
    }
  }

  #onGroup(at: number): void {
    const name = this.#statement?.name;
    if (!this.#isInValues || name == null) return;
    this.#rows.set(name, (this.#rows.get(name) ?? 0) + 1);
    if (this.#wantsRows) this.#rowStarts.push(at - this.#from);
  }

  #onComment(text: string): void {
    this.#lastComment = text;
    if (this.#tokens.length === 0 && NOTE.test(text)) this.notes.push(text);
  }

  #onDelimiter(end: number): void {
    if (this.#statement === null) this.#classifyWhole(end);
    this.#emit(this.#lexer.buffer.subarray(this.#from, end), true);
    this.#begin(end);
  }

  #classifyWhole(end: number): void {
    this.#hold(this.#lexer.buffer.subarray(this.#from, end));
    this.#from = end;
    this.#classify(readStatement(this.#tokens, true));
  }

  #onDelimiterLine(end: number): void {
    this.#hold(this.#lexer.buffer.subarray(this.#from, end));
    this.#from = end;
    this.#statement = { verb: 'DELIMITER', object: '', name: null, creates: null, isStandIn: false };
    this.#release(true);
    this.#begin(end);
  }

  #begin(at: number): void {
    this.#from = at;
    this.#statement = null;
    this.#tokens = [];
    this.#isInValues = false;
    this.#lexer.wantsTokens = true;
    this.#lastComment = '';
  }
}
