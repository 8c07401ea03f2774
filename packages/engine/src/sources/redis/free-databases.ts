/** Database numbers that a restore may use for a while, and those that killed ones have left. */
import { AppError } from '@backupx/contracts/errors';
import type { RedisConnection } from './connection.ts';
import { RedisRefusal } from './resp.ts';
import { isStale, type Mark, readMark, timeOf } from './restore-marks.ts';

const MAX_DATABASES = 1024;

export interface StaleDatabase {
  readonly database: number;
  readonly mark: Mark;
}

/** Numbers with what restores that were killed left, each as soon as it is found: another restore may look, too. */
export async function* findStaleDatabases(server: RedisConnection): AsyncGenerator<StaleDatabase> {
  const now = await timeOf(server);
  for await (const database of databaseNumbers(server)) {
    const mark = await readMark(server, database);
    if (mark !== null && isStale(mark, now)) yield { database, mark };
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
