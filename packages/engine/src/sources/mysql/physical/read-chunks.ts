/**
 * The stream that mariadb-backup and xtrabackup print: chunks of files, those of several files mixed. A chunk is
 *
 *     XBSTCK01, flags (1 byte), type (1: P data, S data with holes, E end of the file), length of path (4), path;
 *     P and S: [S: number of holes (4)], length (8), position in the file (8), CRC-32 (4), [S: holes, 8 each], data
 *
 * with numbers in little endian. Every checksum and position is checked while the data passes.
 */
import { crc32 } from 'node:zlib';
import { AppError } from '@backupx/contracts/errors';
import { StreamCursor } from './stream-cursor.ts';

/** Some bytes of a file, in order; or its end. */
export type StreamPart =
  | { readonly path: string; readonly bytes: Uint8Array }
  | { readonly path: string; readonly bytes: null };

const MAGIC = Buffer.from('XBSTCK01', 'latin1');
const HEAD_BYTES = 14;
const MAX_PATH_BYTES = 4096;
const MAX_HOLES = 16 * 1024 * 1024;
const IGNORABLE = 1;
const ZEROS = new Uint8Array(64 * 1024);

interface Chunk {
  readonly type: string;
  readonly flags: number;
  readonly path: string;
}

/** Throws DATABASE_DUMP_DAMAGED at the first thing that is not as it must be, a file without end among them. */
export async function* readChunks(stream: AsyncIterable<Uint8Array>): AsyncGenerator<StreamPart> {
  const cursor = new StreamCursor(stream);
  const positions = new Map<string, number>();
  const ended = new Set<string>();
  try {
    for (let chunk = await readHead(cursor); chunk !== null; chunk = await readHead(cursor)) {
      const { path, type } = chunk;
      if (ended.has(path)) throw damaged(`${path} goes on after its end`);
      if (type === 'E') {
        positions.delete(path);
        ended.add(path);
        yield { path, bytes: null };
      } else if (type === 'P' || type === 'S') {
        const at = positions.get(path) ?? 0;
        positions.set(path, at + (yield* readData(cursor, chunk, at)));
      } else throw unknownType(chunk);
    }
    const [open] = positions.keys();
    if (open !== undefined) throw damaged(`the end of ${open} is missing`);
    if (ended.size === 0) throw damaged('there is no file in it');
  } finally {
    await cursor.close();
  }
}

async function readHead(cursor: StreamCursor): Promise<Chunk | null> {
  const head = await cursor.take(HEAD_BYTES);
  if (head === null) return null;
  if (head.byteLength < HEAD_BYTES) throw cutOff();
  if (!head.subarray(0, MAGIC.byteLength).equals(MAGIC)) throw damaged('a part does not begin as it must');
  const length = head.readUInt32LE(10);
  if (length === 0 || length > MAX_PATH_BYTES) throw damaged('the name of a file has an impossible length');
  const name = (await take(cursor, length)).toString('utf8');
  const path = name.replace(/^(?:\.\/)+/, '');
  const parts = path.split('/');
  if (name.includes('\0') || parts.some((part) => part === '' || part === '.' || part === '..')) {
    throw damaged(`the name ${JSON.stringify(name)} leads out of its folder`);
  }
  return { flags: head.readUInt8(8), type: String.fromCharCode(head.readUInt8(9)), path };
}

/** Yields the data; answers by how much the file grew. */
async function* readData(cursor: StreamCursor, { type, path }: Chunk, at: number): AsyncGenerator<StreamPart, number> {
  const holeCount = type === 'S' ? (await take(cursor, 4)).readUInt32LE() : 0;
  const numbers = await take(cursor, 20);
  const [length, position] = [numbers.readBigUInt64LE(0), numbers.readBigUInt64LE(8)];
  if (position !== BigInt(at)) throw damaged(`${path} goes on at ${position} instead of ${at}`);
  if (length > BigInt(Number.MAX_SAFE_INTEGER) || holeCount > MAX_HOLES) throw damaged(`a part of ${path} is too long`);
  const map = await take(cursor, holeCount * 8);
  let left = Number(length);
  let sum = crc32(map);
  let written = 0;

  async function* copy(count: number): AsyncGenerator<StreamPart> {
    for (let missing = count; missing > 0; ) {
      const bytes = await cursor.piece(missing);
      if (bytes === null) throw cutOff();
      sum = crc32(bytes, sum);
      missing -= bytes.byteLength;
      left -= bytes.byteLength;
      written += bytes.byteLength;
      yield { path, bytes };
    }
  }

  for (let hole = 0; hole < holeCount; hole += 1) {
    const skipped = map.readUInt32LE(hole * 8);
    for (let missing = skipped; missing > 0; missing -= ZEROS.byteLength) {
      yield { path, bytes: ZEROS.subarray(0, Math.min(missing, ZEROS.byteLength)) };
    }
    written += skipped;
    const count = map.readUInt32LE(hole * 8 + 4);
    if (count > left) throw damaged(`the holes of ${path} do not fit its data`);
    yield* copy(count);
  }
  if (type === 'S' && left > 0) throw damaged(`the holes of ${path} do not fit its data`);
  yield* copy(left);
  if (sum !== numbers.readUInt32LE(16)) throw damaged(`the checksum of a part of ${path} is wrong`);
  return written;
}

async function take(cursor: StreamCursor, count: number): Promise<Buffer> {
  const bytes = await cursor.take(count);
  if (bytes === null || bytes.byteLength < count) throw cutOff();
  return bytes;
}

function unknownType({ path, type, flags }: Chunk): AppError {
  const more = flags & IGNORABLE ? ', which old programs may pass over' : '';
  return damaged(`a part of ${path} is of the unknown type ${JSON.stringify(type)}${more}`);
}

const cutOff = () => damaged('it is cut off');

function damaged(reason: string): AppError {
  return new AppError('DATABASE_DUMP_DAMAGED', { name: 'the server', reason });
}
