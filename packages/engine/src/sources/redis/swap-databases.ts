/** Databases of a server as a whole: they change places, are counted, are emptied. */
import type { RedisConnection } from './connection.ts';
import { MARKER } from './free-databases.ts';
import { RedisRefusal } from './resp.ts';

export async function emptyDatabase(server: RedisConnection, database: number): Promise<void> {
  await server.demand('select a database', 'SELECT', database);
  await server.demand('empty a database (FLUSHDB)', 'FLUSHDB', 'ASYNC');
}

/** How many there are, expired ones perhaps among them. */
export async function countKeys(server: RedisConnection, database: number): Promise<number> {
  await server.demand('select a database', 'SELECT', database);
  return Number(await server.demand('count keys', 'DBSIZE'));
}

export interface SwapParts {
  readonly databases: readonly number[];
  /** Where our keys are, in the same order. */
  readonly free: readonly number[];
  /** Ended in the same moment, so that nobody goes on with what he has read before. */
  readonly sessions: readonly string[];
}

/** All of them at once, or none. */
export async function swapDatabases(to: RedisConnection, { databases, free, sessions }: SwapParts): Promise<void> {
  const action = 'put the databases in place (MULTI, SELECT, DEL, SWAPDB, CLIENT KILL, EXEC)';
  await to.demand(action, 'MULTI');
  for (const id of sessions) await to.demand(action, 'CLIENT', 'KILL', 'ID', id);
  for (const [index, database] of databases.entries()) {
    const place = free[index] as number;
    await to.demand(action, 'SELECT', place);
    await to.demand(action, 'DEL', MARKER);
    await to.demand(action, 'SWAPDB', database, place);
  }
  const replies = await to.demand(action, 'EXEC');
  const refused = Array.isArray(replies)
    ? replies.find((reply) => reply instanceof RedisRefusal)
    : new Error('EXEC did nothing');
  if (refused) throw to.failure(refused, action);
}
