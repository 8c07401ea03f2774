/** Database numbers that a restore may use for a while. Ours hold a mark, so that the next restore knows them. */
import { AppError } from '@backupx/contracts/errors';
import type { RedisConnection } from './connection.ts';
import { RedisRefusal, type RedisReply } from './resp.ts';

/** A key that no program of others has, with the server's time (seconds) when it was last renewed. */
export const MARKER = 'backupx:restore:scratch';
/** A restore that renewed its mark so long ago is dead. */
const STALE_SECONDS = 10 * 60;
const MAX_DATABASES = 1024;

/** Makes an empty database ours. Throws DATABASE_IN_USE when somebody was quicker, whose keys must not be taken for ours. */
export async function claimDatabase(server: RedisConnection, database: number): Promise<void> {
  await server.demand('select a database', 'SELECT', database);
  const claimed = await server.demand('write keys (SET)', 'SET', MARKER, await timeOf(server), 'NX');
  const keys = Number(await server.demand('count keys', 'DBSIZE'));
  if (claimed !== null && keys === 1) return;
  if (claimed !== null) await server.demand('write keys (DEL)', 'DEL', MARKER);
  const sessions = claimed === null ? 'another restore uses it' : 'somebody has begun to write into it';
  throw new AppError('DATABASE_IN_USE', { name: `database ${database}, which was empty`, sessions });
}

/** Renews the mark where it is; a database that somebody has emptied meanwhile is not ours any more. */
export async function renewMark(server: RedisConnection, database: number): Promise<void> {
  await server.demand('select a database', 'SELECT', database);
  await server.demand('write keys (SET)', 'SET', MARKER, await timeOf(server), 'XX');
}

/** The clock of the server: that of another machine may be wrong. */
async function timeOf(server: RedisConnection): Promise<number> {
  const reply = await server.demand('ask its time (TIME)', 'TIME');
  return Number(String((reply as RedisReply[])[0]));
}

/** True for a database that a restore made for itself. */
export async function isMarked(server: RedisConnection, database: number): Promise<boolean> {
  await server.demand('select a database', 'SELECT', database);
  return Number(await server.demand('look for keys (EXISTS)', 'EXISTS', MARKER)) > 0;
}

/** Empties what restores that were killed left. */
export async function clearStaleDatabases(server: RedisConnection): Promise<void> {
  const now = await timeOf(server);
  for await (const _selected of databaseNumbers(server)) {
    const mark = await server.ask('GET', MARKER);
    // Nothing, or something else of somebody else.
    if (!Buffer.isBuffer(mark) || !/^\d+$/.test(String(mark))) continue;
    if (now - Number(String(mark)) < STALE_SECONDS) continue;
    await server.demand('empty a database (FLUSHDB)', 'FLUSHDB', 'ASYNC');
  }
}

/** Empty ones beside `taken`. Throws NOT_SUPPORTED when there are not enough. */
export async function findFreeDatabases(
  server: RedisConnection,
  { count, taken }: { readonly count: number; readonly taken: readonly number[] },
): Promise<number[]> {
  const free: number[] = [];
  if (count === 0) return free;
  for await (const database of databaseNumbers(server)) {
    if (taken.includes(database)) continue;
    if (Number(await server.demand('count keys', 'DBSIZE')) === 0) free.push(database);
    if (free.length === count) return free;
  }
  throw new AppError('NOT_SUPPORTED', {
    what: `A restore into a server that has ${free.length} of ${count} unused database numbers`,
    hint: 'Raise its setting "databases", or restore the file of the stopped server.',
  });
}

/** Selects one after the other, as many as the server has. */
async function* databaseNumbers(server: RedisConnection): AsyncGenerator<number> {
  for (let database = 0; database < MAX_DATABASES; database += 1) {
    const reply = await server.ask('SELECT', database);
    if (reply instanceof RedisRefusal) {
      if (/out of range|invalid DB index|not allowed in cluster/i.test(reply.message)) return;
      throw server.failure(reply, 'select a database');
    }
    yield database;
  }
}
