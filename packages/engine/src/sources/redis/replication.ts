/**
 * The whole content of a server, as its replicas get it: `SYNC` (or `PSYNC`, where only that is allowed), then an RDB
 * file either with its size before it or between two copies of a mark of forty bytes, which is not part of it.
 */
import { AppError } from '@backupx/contracts/errors';
import type { ByteStream } from './byte-stream.ts';
import type { RedisConnection } from './connection.ts';
import { RedisRefusal } from './resp.ts';

const MARK_BYTES = 40;
/** While it saves, a server sends a line end now and then. */
const IDLE_SECONDS = 180;

/** Yields the RDB file. Throws DATABASE_PERMISSION where a server lets nobody replicate, DATABASE_DUMP_INCOMPLETE. */
export async function* replicate(connection: RedisConnection, name: string): AsyncGenerator<Uint8Array> {
  const { stream } = connection;
  stream.idleSeconds = IDLE_SECONDS;
  const size = await requestDump(connection);
  try {
    if (typeof size === 'number') yield* readSized(stream, size);
    else yield* readMarked(stream, Buffer.from(size, 'latin1'));
  } catch (error) {
    if (error instanceof AppError && error.code === 'CANCELLED') throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new AppError('DATABASE_DUMP_INCOMPLETE', { name, reason }, { cause: error });
  }
}

/** The size, or the mark. */
async function requestDump(connection: RedisConnection): Promise<number | string> {
  // Without `eof` it saves to its disk first; `rdb-only` spares it from keeping later writes for us. Old ones refuse both.
  await connection.ask('REPLCONF', 'capa', 'eof');
  await connection.ask('REPLCONF', 'rdb-only', '1');
  try {
    return await startSync(connection, ['SYNC']);
  } catch (error) {
    const isForbidden = error instanceof RedisRefusal && /NOPERM|unknown command/i.test(error.message);
    if (!isForbidden) throw connection.failure(error, ACTION);
  }
  try {
    return await startSync(connection, ['PSYNC', '?', '-1']);
  } catch (error) {
    throw connection.failure(error, ACTION);
  }
}

const ACTION = 'replicate (SYNC or PSYNC, which services of clouds often forbid)';

async function startSync(connection: RedisConnection, command: string[]): Promise<number | string> {
  await connection.send(...command);
  for (;;) {
    const line = await connection.stream.line();
    if (line.startsWith('-')) throw new RedisRefusal(line.slice(1));
    const mark = /^\$EOF:(.{40})$/.exec(line)?.[1];
    if (mark !== undefined) return mark;
    if (/^\$\d+$/.test(line)) return Number(line.slice(1));
    // An empty line: it is still saving.
    if (line !== '' && !/^\+(FULLRESYNC|CONTINUE)/.test(line)) throw new Error('its answer is not of this protocol');
  }
}

async function* readSized(stream: ByteStream, size: number): AsyncGenerator<Uint8Array> {
  for (let left = size; left > 0; ) {
    const chunk = await stream.chunk(left);
    left -= chunk.byteLength;
    yield chunk;
  }
}

/** Holds back as much as the mark is long; a server sends nothing after it before it was answered. */
async function* readMarked(stream: ByteStream, mark: Buffer): AsyncGenerator<Uint8Array> {
  let held: Buffer = Buffer.alloc(0);
  for (;;) {
    const chunk = await stream.chunk();
    const all = held.byteLength === 0 ? chunk : Buffer.concat([held, chunk]);
    const cut = Math.max(0, all.byteLength - MARK_BYTES);
    if (cut > 0) yield all.subarray(0, cut);
    held = Buffer.from(all.subarray(cut));
    if (held.equals(mark)) return;
  }
}
