/** Databases of a server as a whole: they change places, are counted, are emptied. */
import type { RedisConnection } from './connection.ts';
import { RedisRefusal } from './resp.ts';
import { swapCommands, watchOwn } from './restore-marks.ts';
import { transact } from './transaction.ts';

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
  /** What is in `free` afterwards, which has a mark of that kind. */
  readonly left: 'replaced' | 'late';
  /** Ended in the same moment, so that nobody goes on with what he has read before. */
  readonly sessions: readonly string[];
  /** True from the moment the server may do it until it has said whether it did. */
  onPending(isPending: boolean): void;
}

/** All of them at once, or none; none when somebody has emptied what our keys are in. */
export async function swapDatabases(to: RedisConnection, parts: SwapParts): Promise<void> {
  const { databases, free, owner, left, sessions, onPending } = parts;
  const action = 'put the databases in place (WATCH, MULTI, SELECT, DEL, SWAPDB, RENAME, MOVE, CLIENT KILL, EXEC)';
  for (const place of free) if (!(await watchOwn(to, place, owner))) throw notOurs(to, action);
  const commands = [
    ...sessions.map((id) => ['CLIENT', 'KILL', 'ID', id]),
    ...databases.flatMap((database, index) => swapCommands(database, free[index] as number, left)),
  ];
  if (!(await transact(to, { action, commands, onPending }))) throw notOurs(to, action);
}

const notOurs = (to: RedisConnection, action: string) =>
  to.failure(new RedisRefusal('ERR somebody has emptied or changed the database the backup was copied into'), action);
