/**
 * Reads a binary log event by event: every length and position must fit, every checksum must be right. An event is
 *
 *     time (4), type (1), server id (4), length (4), position of the next one (4), flags (2), body, CRC-32 (4)
 *
 * in little endian. The first describes the file; whether there are checksums, its last five bytes tell.
 */
import { createHash, type Hash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { AppError } from '@backupx/contracts/errors';
import { StreamCursor } from '../sources/mysql/physical/stream-cursor.ts';

/** What a log says about itself. Times are seconds since 1970. */
export interface BinlogFacts {
  readonly serverId: number;
  readonly serverVersion: string;
  /** When the server began it. */
  readonly createdAt: number;
  readonly firstAt: number;
  readonly lastAt: number;
  /** Up to the end of its last whole event. */
  readonly sizeBytes: number;
  readonly sha256: string;
  readonly transactions: number;
  /** Those that were made on another server: a replica repeats them. */
  readonly repeated: number;
  /** The last transaction of each domain (MariaDB), or the last one (MySQL). */
  readonly gtids: readonly string[];
  /** Where each domain was when the file began (MariaDB). */
  readonly startGtids: readonly string[];
  /** `rotate`: another file follows. `stop`: the server ended. `open`: it goes on, or the server was killed. */
  readonly end: 'rotate' | 'stop' | 'open';
  readonly nextFile: string | null;
}

export interface ReadOptions {
  readonly name: string;
  /** What follows the last whole event is left out; otherwise it is damage. */
  readonly isPartial?: boolean;
  /** A place at which an event must begin, or the log end. */
  readonly mustHavePosition?: number;
  /** Gets every event. */
  onEvent?(event: BinlogEvent): void;
  /** Called at that place, if there is an event before it, with the last transaction of each domain until there. */
  onPosition?(gtids: readonly string[]): void;
}

const MAGIC = Buffer.from([0xfe, 0x62, 0x69, 0x6e]);
const HEAD_BYTES = 19;
/** Of a body this much is looked at; all of it is summed up. */
const KEPT_BYTES = 64 * 1024;
const CHECKSUM_BYTES = 4;
const IN_USE_FLAG = 1;
const CRC32_METHOD = 1;
/** CRC-32 of anything with its own CRC-32 behind it. */
const SUM_OF_RIGHT = 0x2144df1c;
const TYPE = {
  stop: 3,
  rotate: 4,
  format: 15,
  gtidMysql: 33,
  anonymousGtid: 34,
  gtidMariadb: 162,
  gtidList: 163,
} as const;

/** `at`, `end`: its place in the log. */
export interface BinlogEvent {
  readonly at: number;
  readonly type: number;
  readonly time: number;
  readonly serverId: number;
  readonly end: number;
  /** The beginning of its body, without the checksum. */
  readonly body: Buffer;
}

/** Throws BINLOG_DAMAGED. Reads to the end. */
export async function readBinlog(content: AsyncIterable<Uint8Array>, options: ReadOptions): Promise<BinlogFacts> {
  const cursor = new StreamCursor(content);
  const state = new LogState(options);
  const magic = await cursor.take(MAGIC.byteLength);
  if (!magic?.equals(MAGIC)) throw damaged(options.name, 'it does not begin as a binary log does');
  for (;;) {
    const event = await readEvent(cursor, state);
    if (event === null) break;
    state.add(event);
  }
  // Who stores what is read must see its end.
  while ((await cursor.piece(KEPT_BYTES)) !== null);
  return state.facts();
}

const damaged = (name: string, reason: string): AppError => new AppError('BINLOG_DAMAGED', { name, reason });

/** Null at the end, and for the beginning of an event at the end of a log that goes on. */
async function readEvent(cursor: StreamCursor, state: LogState): Promise<BinlogEvent | null> {
  const { name, isPartial = false } = state.options;
  const at = state.position;
  const cutOff = () => {
    if (!isPartial) throw damaged(name, `it is cut off at ${at}`);
    return null;
  };
  const head = await cursor.take(HEAD_BYTES);
  if (head === null) return null;
  if (head.byteLength < HEAD_BYTES) return cutOff();
  const [type, length, end] = [head.readUInt8(4), head.readUInt32LE(9), head.readUInt32LE(13)];
  if (length < HEAD_BYTES) throw damaged(name, `the event at ${at} has an impossible length`);
  const read = await readBody(cursor, { head, length: length - HEAD_BYTES, hash: state.hash.copy() });
  if (read === null) return cutOff();
  if (type === TYPE.format) state.hasChecksums = read.kept.at(-1 - CHECKSUM_BYTES) === CRC32_METHOD;
  if (state.hasChecksums && read.sum !== SUM_OF_RIGHT)
    throw damaged(name, `the checksum of the event at ${at} is wrong`);
  if (end !== 0 && (at + length) % 2 ** 32 !== end)
    throw damaged(name, `the event at ${at} does not end where it says`);
  state.hash = read.hash;
  const common = { at, type, time: head.readUInt32LE(0), serverId: head.readUInt32LE(5) };
  const hasRoom = state.hasChecksums && length - HEAD_BYTES <= KEPT_BYTES;
  return { ...common, end: at + length, body: hasRoom ? read.kept.subarray(0, -CHECKSUM_BYTES) : read.kept };
}

/** Null when the stream ends before. */
async function readBody(
  cursor: StreamCursor,
  { head, length, hash }: { readonly head: Buffer; readonly length: number; readonly hash: Hash },
): Promise<{ readonly kept: Buffer; readonly sum: number; readonly hash: Hash } | null> {
  hash.update(head);
  const plain = Buffer.from(head);
  // The server takes this mark away when it closes the file, and leaves the checksum as it was.
  if (head.readUInt8(4) === TYPE.format) plain.writeUInt16LE(plain.readUInt16LE(17) & ~IN_USE_FLAG, 17);
  let sum = crc32(plain);
  const kept: Uint8Array[] = [];
  for (let missing = length; missing > 0; ) {
    const piece = await cursor.piece(missing);
    if (piece === null) return null;
    hash.update(piece);
    sum = crc32(piece, sum);
    if (length - missing < KEPT_BYTES) kept.push(Buffer.from(piece));
    missing -= piece.byteLength;
  }
  return { kept: Buffer.concat(kept), sum, hash };
}

class LogState {
  readonly options: ReadOptions;
  hash: Hash = createHash('sha256').update(MAGIC);
  position = MAGIC.byteLength;
  hasChecksums = false;
  #serverId = 0;
  #serverVersion = '';
  #createdAt = 0;
  #firstAt = 0;
  #lastAt = 0;
  #transactions = 0;
  #repeated = 0;
  #end: BinlogFacts['end'] = 'open';
  #nextFile: string | null = null;
  #hasPosition: boolean;
  #startGtids: readonly string[] = [];
  readonly #gtids = new Map<number | string, string>();

  constructor(options: ReadOptions) {
    this.options = options;
    this.#hasPosition = options.mustHavePosition === undefined || options.mustHavePosition === this.position;
  }

  add(event: BinlogEvent): void {
    const { name, mustHavePosition } = this.options;
    if (event.at === MAGIC.byteLength) this.#describe(event);
    else if (this.#end !== 'open') throw damaged(name, `it goes on after its end at ${event.at}`);
    this.position = event.end;
    this.#lastAt = Math.max(this.#lastAt, event.time);
    this.#note(event);
    if (event.end === mustHavePosition) {
      this.#hasPosition = true;
      this.options.onPosition?.([...this.#gtids.values()]);
    }
    this.options.onEvent?.(event);
  }

  facts(): BinlogFacts {
    const { name, mustHavePosition } = this.options;
    if (this.#createdAt === 0) throw damaged(name, 'there is no event in it');
    if (!this.#hasPosition) throw damaged(name, `no event begins at ${mustHavePosition}`);
    return {
      ...{ serverId: this.#serverId, serverVersion: this.#serverVersion, createdAt: this.#createdAt },
      ...{ firstAt: this.#firstAt, lastAt: this.#lastAt, sizeBytes: this.position },
      ...{ sha256: this.hash.copy().digest('hex'), transactions: this.#transactions, repeated: this.#repeated },
      ...{
        gtids: [...this.#gtids.values()].sort(),
        startGtids: this.#startGtids,
        end: this.#end,
        nextFile: this.#nextFile,
      },
    };
  }

  #describe({ type, body, time, serverId }: BinlogEvent): void {
    if (type !== TYPE.format || body.byteLength < 57) throw damaged(this.options.name, 'it does not say what it is');
    if (body.readUInt16LE(0) !== 4) throw damaged(this.options.name, 'it is of an unknown version');
    this.#serverVersion = body.toString('latin1', 2, 52).replace(/\0.*$/s, '');
    this.#createdAt = time;
    this.#firstAt = time;
    this.#serverId = serverId;
  }

  #note({ type, body, serverId }: BinlogEvent): void {
    if (type === TYPE.stop) this.#end = 'stop';
    else if (type === TYPE.rotate && body.byteLength > 8) {
      this.#end = 'rotate';
      this.#nextFile = body.toString('utf8', 8);
    } else if (type === TYPE.gtidList) this.#noteList(body);
    else if (type === TYPE.gtidMariadb) {
      this.#count(serverId);
      const domain = body.readUInt32LE(8);
      this.#gtids.set(domain, `${domain}-${serverId}-${body.readBigUInt64LE(0)}`);
    } else if (type === TYPE.gtidMysql) {
      this.#count(serverId);
      const sid = body.toString('hex', 1, 17).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
      this.#gtids.set(sid, `${sid}:${body.readBigUInt64LE(17)}`);
    } else if (type === TYPE.anonymousGtid) this.#count(serverId);
  }

  #count(serverId: number): void {
    this.#transactions += 1;
    if (serverId !== this.#serverId) this.#repeated += 1;
  }

  /** Where each domain was when the file began. */
  #noteList(body: Buffer): void {
    const count = body.readUInt32LE(0) & 0x0fffffff;
    for (let at = 4; at + 16 <= body.byteLength && at < 4 + count * 16; at += 16) {
      const domain = body.readUInt32LE(at);
      this.#gtids.set(domain, `${domain}-${body.readUInt32LE(at + 4)}-${body.readBigUInt64LE(at + 8)}`);
    }
    this.#startGtids = [...this.#gtids.values()].sort();
  }
}
