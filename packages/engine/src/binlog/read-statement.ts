/**
 * The statement of an event, and whether it names a database itself: what a program that replays under another name cannot
 * change, since it only renames what a statement leaves open.
 */
import { constants, inflateSync } from 'node:zlib';
import type { BinlogEvent } from './read-binlog.ts';

export interface LoggedStatement {
  /** The database that was chosen when it ran. */
  readonly database: string;
  readonly text: string;
}

const TYPE = { query: 2, executeLoad: 18, transactionPayload: 40, queryCompressed: 165 } as const;
const POST_HEADER_BYTES = 13;
/** More of those that load a file. */
const LOAD_BYTES = 13;

/** Null: the event is no statement. `unknown`: it may hold some, and cannot be read. */
export function readStatement({ type, body }: Pick<BinlogEvent, 'type' | 'body'>): LoggedStatement | null | 'unknown' {
  if (type === TYPE.transactionPayload) return 'unknown';
  if (type !== TYPE.query && type !== TYPE.executeLoad && type !== TYPE.queryCompressed) return null;
  if (body.byteLength < POST_HEADER_BYTES) return 'unknown';
  const databaseLength = body.readUInt8(8);
  const start = POST_HEADER_BYTES + (type === TYPE.executeLoad ? LOAD_BYTES : 0) + body.readUInt16LE(11);
  const end = start + databaseLength;
  if (end + 1 > body.byteLength) return 'unknown';
  const rest = body.subarray(end + 1);
  const text = type === TYPE.queryCompressed ? unpack(rest) : rest.toString('utf8');
  return text === null ? 'unknown' : { database: body.toString('utf8', start, end), text };
}

/** A byte that says how many bytes hold the length, those, then zlib; of a long one only the beginning is here. */
function unpack(bytes: Buffer): string | null {
  try {
    return (
      inflateSync(bytes.subarray(1 + (bytes.readUInt8(0) & 0x07)), { finishFlush: constants.Z_SYNC_FLUSH }).toString(
        'utf8',
      ) || null
    );
  } catch {
    return null;
  }
}

/** True also in doubt: for a name in a text that only looks like one. */
export function namesDatabase(text: string, database: string): boolean {
  const plain = text.replaceAll(/\/\*(?![!M]).*?\*\//gs, ' ').replaceAll(/'(?:[^'\\]|\\.|'')*'/gs, "''");
  const name = database.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const quoted = name.replaceAll('`', '``');
  const word = `(?:\`${quoted}\`|"${name}"|(?<![\\w$\`".])${name}(?![\\w$]))`;
  const isQualifier = new RegExp(`${word}\\s*\\.`, 'i');
  const isSubject = new RegExp(`\\b(?:DATABASE|SCHEMA|USE)\\s+(?:IF\\s+(?:NOT\\s+)?EXISTS\\s+)?${word}`, 'i');
  return isQualifier.test(plain) || isSubject.test(plain);
}
