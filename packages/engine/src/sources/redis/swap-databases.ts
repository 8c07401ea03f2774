/** Databases of a server as a whole: they change places, are counted, are emptied. */
import type { RedisConnection } from './connection.ts';
import { MARKER, ownerOf, takenByOthers } from './free-databases.ts';
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
  /** Whose marks must be there. */
  readonly owner: string;
  /** Ended in the same moment, so that nobody goes on with what he has read before. */
  readonly sessions: readonly string[];
  /** True from the moment the server may do it until it has said whether it did. */
  onPending(isPending: boolean): void;
}

/** All of them at once, or none; none when somebody has emptied what our keys are in. */
export async function swapDatabases(to: RedisConnection, parts: SwapParts): Promise<void> {
  const { databases, free, owner, sessions, onPending } = parts;
  const action = 'put the databases in place (WATCH, MULTI, SELECT, DEL, SWAPDB, CLIENT KILL, EXEC)';
  for (const place of free) {
    await to.demand('select a database', 'SELECT', place);
    await to.demand(action, 'WATCH', MARKER);
    const found = await ownerOf(to, place);
    if (found === null) throw notOurs(to, action);
    if (found !== owner) throw takenByOthers(place);
  }
  await to.demand(action, 'MULTI');
  for (const id of sessions) await to.demand(action, 'CLIENT', 'KILL', 'ID', id);
  for (const [index, database] of databases.entries()) {
    const place = free[index] as number;
    await to.demand(action, 'SELECT', place);
    await to.demand(action, 'DEL', MARKER);
    await to.demand(action, 'SWAPDB', database, place);
  }
  onPending(true);
  const replies = await to.ask('EXEC');
  onPending(!(replies instanceof RedisRefusal) && replies !== null);
  if (replies instanceof RedisRefusal) throw to.failure(replies, action);
  if (!Array.isArray(replies)) throw notOurs(to, action);
  const refused = replies.find((reply) => reply instanceof RedisRefusal);
  if (refused) throw to.failure(refused, action);
}

const notOurs = (to: RedisConnection, action: string) =>
  to.failure(new RedisRefusal('ERR somebody has emptied or changed the database the backup was copied into'), action);
