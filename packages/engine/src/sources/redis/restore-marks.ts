/**
 * Keys that say of a database whose it is. One that a restore fills, and one that holds what it has replaced, is known by
 * them to the next restore, also when this one is killed. Whatever is done because of a mark is done in the same moment
 * in which it is there: a restore that stood still for long may wake up when another has just taken it for dead.
 */
import { AppError } from '@backupx/contracts/errors';
import type { RedisConnection } from './connection.ts';
import { type RedisArgument, RedisRefusal, type RedisReply } from './resp.ts';
import { transact } from './transaction.ts';

/**
 * `scratch`: a restore fills it. `replaced`: what a restore was allowed to replace, which nobody needs. `late`: it was
 * empty when a restore put its own in that place; what is in it somebody wrote in that very moment.
 */
export type MarkKind = 'scratch' | 'replaced' | 'late';

const KINDS: readonly MarkKind[] = ['scratch', 'replaced', 'late'];

/** No program of others has such a key. */
export const markKey = (kind: MarkKind): string => `backupx:restore:${kind}`;

const MARK_KEYS = KINDS.map(markKey);

/** The server's time (seconds) when it was last renewed, and whose it is; older versions named nobody. */
const TEXT = /^(\d+)(?: ([0-9a-f]+))?$/;
/** A restore that renewed its mark so long ago is dead. */
const STALE_SECONDS = 10 * 60;

export interface Mark {
  readonly kind: MarkKind;
  /** As it stands there. */
  readonly text: string;
  /** Null: that is nothing a restore has written. */
  readonly renewedAt: number | null;
  /** Empty: of nobody who says so. */
  readonly owner: string;
}

/** The mark a database has, which is selected then; null: none. */
export async function readMark(server: RedisConnection, database: number): Promise<Mark | null> {
  await server.demand('select a database', 'SELECT', database);
  const values = (await server.demand('read keys (MGET)', 'MGET', ...MARK_KEYS)) as RedisReply[];
  const at = values.findIndex((value) => value !== null);
  const kind = KINDS[at];
  if (kind === undefined) return null;
  const text = String(values[at]);
  const [, time, owner = ''] = TEXT.exec(text) ?? [];
  return { kind, text, renewedAt: time === undefined ? null : Number(time), owner };
}

/** True when its restore is dead. */
export const isStale = ({ renewedAt }: Mark, now: number): boolean =>
  renewedAt !== null && now - renewedAt >= STALE_SECONDS;

export interface MarkedChange {
  readonly database: number;
  isWanted(mark: Mark): boolean;
  /** For errors. */
  readonly action: string;
  readonly command: readonly RedisArgument[];
}

/** Does it if the mark is the wanted one, in the same moment; the database is selected then. False: nothing was done. */
export async function changeMarked(server: RedisConnection, change: MarkedChange): Promise<boolean> {
  const { database, isWanted, action, command } = change;
  await server.demand('select a database', 'SELECT', database);
  await server.demand(action, 'WATCH', ...MARK_KEYS);
  const mark = await readMark(server, database);
  if (mark === null || !isWanted(mark)) {
    await server.demand(action, 'UNWATCH');
    return false;
  }
  try {
    return await transact(server, { action, commands: [command] });
  } catch (error) {
    if (!isFull(error)) throw error;
    await server.demand(action, 'DISCARD');
    const key = markKey(mark.kind);
    return (await server.demand(`${action}, or EVAL`, 'EVAL', IF_MARKED, 1, key, mark.text, ...command)) === 1;
  }
}

/** A server whose memory is full takes no commands of a transaction, not even one that makes room; of a script it does. */
const IF_MARKED = `if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call(unpack(ARGV, 2))
return 1`;

const isFull = (error: unknown): boolean =>
  error instanceof AppError && error.cause instanceof RedisRefusal && error.cause.code === 'OOM';

/** Empties a database that has this very mark, which nobody has renewed since. False: it is not so. */
export async function emptyMarked(server: RedisConnection, database: number, seen: Mark): Promise<boolean> {
  const isWanted = ({ kind, text }: Mark) => kind === seen.kind && text === seen.text;
  const action = 'empty a database (WATCH, MULTI, FLUSHDB, EXEC)';
  return await changeMarked(server, { database, isWanted, action, command: ['FLUSHDB', 'ASYNC'] });
}

/** Takes the mark of `owner` away; what is in the database stays. False: it has none of his. */
export async function removeMark(server: RedisConnection, database: number, owner: string): Promise<boolean> {
  const isWanted = (mark: Mark) => mark.owner === owner;
  const action = 'write keys (WATCH, MULTI, DEL, EXEC)';
  return await changeMarked(server, { database, isWanted, action, command: ['DEL', ...MARK_KEYS] });
}

/** The database is there, and not ours any more. */
export const takenByOthers = (database: number, sessions = 'another restore, which took this one for dead'): AppError =>
  new AppError('DATABASE_IN_USE', { name: `database ${database}`, sessions });

/** Makes an empty database that of `owner`. Throws DATABASE_IN_USE when somebody was quicker, whose keys must not be taken for ours. */
export async function claimDatabase(server: RedisConnection, database: number, owner: string): Promise<void> {
  await server.demand('select a database', 'SELECT', database);
  const text = await textOf(server, owner);
  const claimed = await server.demand('write keys (SET)', 'SET', markKey('scratch'), text, 'NX');
  const keys = Number(await server.demand('count keys', 'DBSIZE'));
  if (claimed !== null && keys === 1) return;
  if (claimed !== null) await removeMark(server, database, owner);
  const sessions = claimed === null ? 'another restore uses it' : 'somebody has begun to write into it';
  throw new AppError('DATABASE_IN_USE', { name: `database ${database}, which was empty`, sessions });
}

/**
 * Renews the mark where it is; a database that somebody has emptied meanwhile is not ours any more, which shows in the
 * end. Throws DATABASE_IN_USE when another restore has it.
 */
export async function renewMark(server: RedisConnection, database: number, owner: string): Promise<void> {
  const text = await textOf(server, owner);
  const isWanted = (mark: Mark) => mark.kind === 'scratch' && mark.owner === owner;
  const action = 'write keys (WATCH, MULTI, SET, EXEC)';
  const command = ['SET', markKey('scratch'), text, 'XX'];
  if (await changeMarked(server, { database, isWanted, action, command })) return;
  const found = await readMark(server, database);
  if (found !== null && found.owner !== owner) throw takenByOthers(database);
}

const textOf = async (server: RedisConnection, owner: string): Promise<string> => `${await timeOf(server)} ${owner}`;

/** The clock of the server: that of another machine may be wrong. */
export async function timeOf(server: RedisConnection): Promise<number> {
  const reply = await server.demand('ask its time (TIME)', 'TIME');
  return Number(String((reply as RedisReply[])[0]));
}

/**
 * What the place of a restore's keys and the database they are for say to each other to change places: then what was
 * replaced has the mark, in the same moment. None of them is refused because it would take memory, as SET may be.
 */
export function swapCommands(database: number, place: number, left: 'replaced' | 'late'): RedisArgument[][] {
  const without = ['DEL', ...MARK_KEYS];
  return [
    // Of what is replaced, perhaps itself a leftover; it would keep ours from getting there.
    ['SELECT', database],
    without,
    ['SWAPDB', database, place],
    ['RENAME', markKey('scratch'), markKey(left)],
    ['MOVE', markKey(left), place],
    // No database in use has a mark, whatever happens.
    without,
  ];
}

/** To be sure, together with what follows on this connection, that the mark of `owner` stays. Throws DATABASE_IN_USE. */
export async function watchOwn(server: RedisConnection, database: number, owner: string): Promise<boolean> {
  await server.demand('select a database', 'SELECT', database);
  await server.demand('watch keys (WATCH)', 'WATCH', ...MARK_KEYS);
  const found = await readMark(server, database);
  if (found !== null && found.owner !== owner) throw takenByOthers(database);
  return found?.kind === 'scratch';
}
