/** Copies all keys of a database between servers, with their times of expiry to the millisecond. */
import { AppError } from '@backupx/contracts/errors';
import { systemClock } from '../../ports/clock.ts';
import type { RedisConnection } from './connection.ts';
import { type RedisArgument, RedisRefusal, type RedisReply } from './resp.ts';
import { renewMark } from './restore-marks.ts';

export interface CopyKeysOptions {
  readonly from: RedisConnection;
  readonly to: RedisConnection;
  readonly database: number;
  /** The number to copy into, which holds nothing but the mark. */
  readonly place: number;
  /** All that hold a mark of ours; `place` is the last of them, which stays selected. */
  readonly marked: readonly number[];
  /** Who we are, in these marks. */
  readonly owner: string;
  readonly signal: AbortSignal;
  readonly onKeys: (count: number) => void;
}

const KEYS_PER_PAGE = 500;
/** What is asked for at once piles up in the server that reads, so rounds shrink where values are large. */
const MAX_ROUND = 256;
const BATCH_BYTES = 256 * 1024;
const SMALL_ROUND_BYTES = 1024 * 1024;
const LARGE_ROUND_BYTES = 8 * SMALL_ROUND_BYTES;
const RENEW_MS = 60_000;

/** What a database must hold in the end. */
export interface CopiedKeys {
  readonly copied: number;
  /** Those among them that never expire. */
  readonly lasting: number;
}

interface Counts extends CopiedKeys {
  copied: number;
  lasting: number;
  bytes: number;
  /** Keys of the next round. */
  round: number;
  /** When the marks were renewed. */
  renewedAt: number;
}

/** Answers what was copied. Throws DATABASE_TOOL_MISMATCH when the target is too old for the values, DATABASE_IN_USE. */
export async function copyKeys(options: CopyKeysOptions): Promise<CopiedKeys> {
  const { from, to, database, place, signal } = options;
  await from.demand('select a database', 'SELECT', database);
  await to.demand('select a database', 'SELECT', place);
  const counts: Counts = { copied: 0, lasting: 0, bytes: 0, round: 16, renewedAt: systemClock.monotonicMs() };
  let cursor = '0';
  do {
    if (signal.aborted) throw new AppError('CANCELLED');
    const page = await from.demand('list keys', 'SCAN', cursor, 'COUNT', KEYS_PER_PAGE);
    const [next, keys] = page as [Buffer, Buffer[]];
    cursor = String(next);
    await copyPage(options, keys, counts);
    options.onKeys(keys.length);
    await renewMarks(options, counts);
  } while (cursor !== '0');
  await assertAllThere(to, { place, database, counts });
  return counts;
}

/** Also after a time in which we stood still, before much is written into what may be another's by now. */
async function renewMarks({ to, marked, owner }: CopyKeysOptions, counts: Counts): Promise<void> {
  if (systemClock.monotonicMs() - counts.renewedAt <= RENEW_MS) return;
  for (const one of marked) await renewMark(to, one, owner);
  counts.renewedAt = systemClock.monotonicMs();
}

async function copyPage(options: CopyKeysOptions, keys: readonly Buffer[], counts: Counts): Promise<void> {
  for (let at = 0; at < keys.length; ) {
    const [round, bytes] = [keys.slice(at, at + counts.round), counts.bytes];
    at += round.length;
    await copyRound(options, round, counts);
    // A page of large values may take longer than marks live.
    await renewMarks(options, counts);
    const passed = counts.bytes - bytes;
    if (passed < SMALL_ROUND_BYTES) counts.round = Math.min(MAX_ROUND, counts.round * 2);
    if (passed > LARGE_ROUND_BYTES) counts.round = Math.max(1, counts.round >> 2);
  }
}

/** Small values are sent on several at once; more than a round's worth of them is never held here. */
async function copyRound({ from, to }: CopyKeysOptions, keys: readonly Buffer[], counts: Counts): Promise<void> {
  await from.sendAll(
    keys.flatMap((key) => [
      ['PEXPIRETIME', key],
      ['DUMP', key],
    ]),
  );
  let batch: RedisArgument[][] = [];
  let [batchBytes, sent] = [0, 0];
  for (const key of keys) {
    const expiresAt = Number(await wanted(from));
    const value = await wanted(from);
    // A key that has expired since the dump.
    if (value === null) continue;
    const isLasting = expiresAt < 0;
    batch.push(['RESTORE', key, isLasting ? 0 : expiresAt, value as Buffer, ...(isLasting ? [] : ['ABSTTL'])]);
    batchBytes += (value as Buffer).byteLength;
    sent += 1;
    counts.copied += 1;
    counts.bytes += (value as Buffer).byteLength;
    if (isLasting) counts.lasting += 1;
    if (batchBytes < BATCH_BYTES) continue;
    await to.sendAll(batch);
    [batch, batchBytes] = [[], 0];
  }
  await to.sendAll(batch);
  for (; sent > 0; sent -= 1) await restored(to);
}

async function wanted(from: RedisConnection): Promise<RedisReply> {
  const reply = await from.reply();
  if (reply instanceof RedisRefusal)
    throw from.failure(reply, 'read keys (PEXPIRETIME, DUMP; Redis 7 or newer is needed here)');
  return reply;
}

async function restored(to: RedisConnection): Promise<void> {
  const reply = await to.reply();
  if (!(reply instanceof RedisRefusal)) return;
  if (/payload version|Bad data format/i.test(reply.message)) {
    throw new AppError('DATABASE_TOOL_MISMATCH', {
      tool: 'redis-server',
      toolVersion: 'of this machine',
      serverVersion: 'to restore into, which is older',
      package: 'redis-server in the version of that server',
    });
  }
  throw to.failure(reply, 'write keys (RESTORE)');
}

/** `place` holds what was copied of `database`, and nothing else but the mark. Throws DATABASE_TOOL_FAILED. */
export async function assertAllThere(
  to: RedisConnection,
  { place, database, counts }: { readonly place: number; readonly database: number; readonly counts: CopiedKeys },
): Promise<void> {
  const MARK = 1;
  const { copied, lasting } = counts;
  await to.demand('select a database', 'SELECT', place);
  const found = Number(await to.demand('count keys', 'DBSIZE')) - MARK;
  if (found >= lasting && found <= copied) return;
  const reason = `database ${database} has ${found} keys on the server instead of ${copied}`;
  throw new AppError('DATABASE_TOOL_FAILED', { tool: 'RESTORE', reason });
}
