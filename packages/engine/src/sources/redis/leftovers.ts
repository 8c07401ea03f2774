/** What restores leave in databases of a server: what nobody needs is emptied, and what may be somebody's is named. */
import type { RestoreContext } from '../../ports/source.ts';
import type { RedisConnection } from './connection.ts';
import { findStaleDatabases, type StaleDatabase } from './free-databases.ts';
import { emptyMarked, readMark, removeMark } from './restore-marks.ts';
import { readFacts } from './server-facts.ts';
import { countKeys, emptyDatabase } from './swap-databases.ts';

/** Who is told, and what the server is called. */
interface Told extends Pick<RestoreContext, 'log' | 'problem'> {
  readonly path: string;
}

/** Empties what restores left that were killed; what somebody wrote there in the last moment stays, and is named. */
export async function clearLeftovers(server: RedisConnection, told: Told): Promise<void> {
  for await (const { database, mark } of findStaleDatabases(server)) {
    if (mark.kind === 'late') await release(server, database, { ...told, owner: mark.owner });
    else if (await emptyMarked(server, database, mark)) {
      told.log('info', `Emptied database ${database}, which a restore that was killed had left.`);
    }
  }
}

/** Numbers that `clearLeftovers` would leave empty. Changes nothing. */
export async function foreseeLeftovers(server: RedisConnection, { log }: Told): Promise<number[]> {
  const stale: number[] = [];
  for await (const found of findStaleDatabases(server)) {
    if (!(await isNeeded(server, found))) stale.push(found.database);
    const what = found.mark.kind === 'replaced' ? 'what a restore had replaced' : 'what a restore left';
    log('info', `Database ${found.database} holds ${what} that was killed.`);
  }
  return stale;
}

const MARK = 1;

const isNeeded = async (server: RedisConnection, { database, mark }: StaleDatabase): Promise<boolean> =>
  mark.kind === 'late' && (await countKeys(server, database)) > MARK;

/** What was replaced lies in `places`. The restore is done: a failure here takes nothing of it back. */
export async function emptyReplaced(
  server: RedisConnection,
  places: readonly number[],
  ours: Told & { readonly owner: string },
): Promise<void> {
  const { path, problem } = ours;
  try {
    for (const place of places) await leavePlace(server, place, ours);
  } catch (error) {
    const list = places.join(', ');
    const message = `what was replaced still lies in the database(s) ${list}; empty them by FLUSHDB, or the next restore does it (${(error as Error).message})`;
    problem({ path, code: 'inconsistent', message });
  }
}

async function leavePlace(
  server: RedisConnection,
  place: number,
  ours: Told & { readonly owner: string },
): Promise<void> {
  const mark = await readMark(server, place);
  if (mark?.kind === 'late' && mark.owner === ours.owner) return await release(server, place, ours);
  if (mark?.kind === 'replaced' && mark.owner === ours.owner && (await emptyMarked(server, place, mark))) return;
  // Another has taken this restore for dead, and emptied it.
  if (mark !== null || (await countKeys(server, place)) === 0) return;
  const message = `what was replaced perhaps lies in database ${place}, where its mark is gone: empty it by FLUSHDB when it is not needed`;
  ours.problem({ path: ours.path, code: 'inconsistent', message });
}

/** A database that a restore leaves as it is. */
async function release(
  server: RedisConnection,
  database: number,
  { owner, path, problem }: Told & { readonly owner: string },
): Promise<void> {
  if (!(await removeMark(server, database, owner)) || (await countKeys(server, database)) === 0) return;
  const message = `what somebody wrote in the moment in which a restore put its databases in place lies in database ${database}`;
  problem({ path, code: 'inconsistent', message });
}

export interface TakenBack extends Pick<RestoreContext, 'log'> {
  readonly owner: string;
  /** The server was told to let databases change places, and perhaps did. */
  readonly mayHaveSwapped: boolean;
  /** Keys that the server had thrown out before anything was copied. */
  readonly evictedBefore: number;
}

/**
 * Empties a number that the keys of a restore that fails are in. When they have changed places already (the connection
 * broke before the server could say so) what was replaced lies there, which stays. Without a mark a cache has thrown it
 * out, or somebody has emptied the number, and what is there now is his.
 */
export async function takeBack(server: RedisConnection, database: number, ours: TakenBack): Promise<void> {
  const { owner, mayHaveSwapped, evictedBefore, log } = ours;
  const mark = await readMark(server, database);
  const isOurs = mark !== null && mark.owner === owner;
  if (isOurs && mark.kind === 'scratch' && (await emptyMarked(server, database, mark))) return;
  const isSwapped = isOurs && mark.kind !== 'scratch' && (await removeMark(server, database, owner));
  if (mark !== null && !isSwapped) return log('warn', `Database ${database} is used by another restore now.`);
  const keys = await countKeys(server, database);
  if (isSwapped || mayHaveSwapped) {
    const where = keys > 0 ? `; what it replaced lies in database ${database}` : '';
    log('warn', `The backup is in place although the restore failed${where}.`);
  } else if (keys > 0) {
    if ((await readFacts(server)).evictedKeys > evictedBefore) return await emptyDatabase(server, database);
    log('warn', `Database ${database} was emptied by somebody meanwhile; what is in it now stays.`);
  }
}
