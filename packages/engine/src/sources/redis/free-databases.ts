/** Database numbers that a restore may use for a while. Ours hold a mark, so that the next restore knows them. */
import { AppError } from '@backupx/contracts/errors';
import type { RedisConnection } from './connection.ts';
import { RedisRefusal, type RedisReply } from './resp.ts';

/**
 * A key that no program of others has: the server's time (seconds) when it was last renewed, and whose it is. One that
 * stood still for long may wake up when the next restore works in what was its own.
 */
export const MARKER = 'backupx:restore:scratch';
/** Those of older versions name nobody. */
const MARK = /^(\d+)(?: ([0-9a-f]+))?$/;
/** A restore that renewed its mark so long ago is dead. */
const STALE_SECONDS = 10 * 60;
const MAX_DATABASES = 1024;

/** The database is there, and not ours any more. */
export const takenByOthers = (database: number, sessions = 'another restore, which took this one for dead'): AppError =>
  new AppError('DATABASE_IN_USE', { name: `database ${database}`, sessions });

/** Makes an empty database that of `owner`. Throws DATABASE_IN_USE when somebody was quicker, whose keys must not be taken for ours. */
export async function claimDatabase(server: RedisConnection, database: number, owner: string): Promise<void> {
  await server.demand('select a database', 'SELECT', database);
  const claimed = await server.demand('write keys (SET)', 'SET', MARKER, await markOf(server, owner), 'NX');
  const keys = Number(await server.demand('count keys', 'DBSIZE'));
  if (claimed !== null && keys === 1) return;
  if (claimed !== null) await server.demand('write keys (DEL)', 'DEL', MARKER);
  const sessions = claimed === null ? 'another restore uses it' : 'somebody has begun to write into it';
  throw new AppError('DATABASE_IN_USE', { name: `database ${database}, which was empty`, sessions });
}

/**
 * Renews the mark where it is; a database that somebody has emptied meanwhile is not ours any more, which shows in the
 * end. Throws DATABASE_IN_USE when another restore has it.
 */
export async function renewMark(server: RedisConnection, database: number, owner: string): Promise<void> {
  const found = await ownerOf(server, database);
  if (found === null) return;
  if (found !== owner) throw takenByOthers(database);
  await server.demand('write keys (SET)', 'SET', MARKER, await markOf(server, owner), 'XX');
}

/** Whose mark a database has; empty: of nobody who says so; null: it has none. */
export async function ownerOf(server: RedisConnection, database: number): Promise<string | null> {
  await server.demand('select a database', 'SELECT', database);
  const mark = await server.demand('read keys (GET)', 'GET', MARKER);
  return mark === null ? null : (MARK.exec(String(mark))?.[2] ?? '');
}

const markOf = async (server: RedisConnection, owner: string): Promise<string> => `${await timeOf(server)} ${owner}`;

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

/** Numbers with what restores that were killed left, each as soon as it is found: another restore may look, too. */
export async function* findStaleDatabases(server: RedisConnection): AsyncGenerator<number> {
  const now = await timeOf(server);
  for await (const database of databaseNumbers(server)) {
    const mark = await server.ask('GET', MARKER);
    // Nothing, or something else of somebody else.
    const renewedAt = Buffer.isBuffer(mark) ? MARK.exec(String(mark))?.[1] : undefined;
    if (renewedAt !== undefined && now - Number(renewedAt) >= STALE_SECONDS) yield database;
  }
}

/** Empty ones, and `stale` ones, beside `taken`. Throws NOT_SUPPORTED when there are not enough. */
export async function findFreeDatabases(
  server: RedisConnection,
  { count, taken, stale = [] }: WantedNumbers,
): Promise<number[]> {
  const free: number[] = [];
  if (count === 0) return free;
  for await (const database of databaseNumbers(server)) {
    if (taken.includes(database)) continue;
    if (stale.includes(database) || Number(await server.demand('count keys', 'DBSIZE')) === 0) free.push(database);
    if (free.length === count) return free;
  }
  throw new AppError('NOT_SUPPORTED', {
    what: `A restore into a server that has ${free.length} of ${count} unused database numbers`,
    hint: 'Raise its setting "databases", or restore the file of the stopped server.',
  });
}

interface WantedNumbers {
  readonly count: number;
  readonly taken: readonly number[];
  readonly stale?: readonly number[];
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
