/** Whether a restore may put a database in the place of one that is there. */
import { AppError } from '@backupx/contracts/errors';
import type { DatabaseSession } from '@backupx/contracts/jobs';
import { systemClock } from '../../ports/clock.ts';
import type { MysqlConnection } from './connection.ts';
import { assertMayReplace } from './privileges.ts';
import { readInventory } from './read-inventory.ts';
import { describeSessions, sessionsOf } from './sessions.ts';
import type { MysqlRestoreOptions } from './settings.ts';
import { assertNotReferred } from './swap-database.ts';

/** So long sessions may take to go. */
const END_LIMIT_MS = 30_000;
const END_STEP_MS = 100;

interface Place {
  readonly connection: MysqlConnection;
  readonly options: MysqlRestoreOptions;
}

/**
 * Throws DATABASE_EXISTS, DATABASE_IN_USE, DATABASE_PERMISSION, RESTORE_TARGET_INVALID. Sessions that may be ended are
 * ended right before the swap.
 */
export async function assertReplaceable(place: Place, target: string, { isSwapNext = false } = {}): Promise<void> {
  const { connection, options } = place;
  const { objects } = await readInventory(connection, target);
  if (objects.length === 0) return;
  if (!options.replaceExisting) {
    throw new AppError('DATABASE_EXISTS', { name: `database ${target}`, server: connection.address });
  }
  await assertNotReferred(connection, target);
  await assertMayReplace(connection, target);
  if (isSwapNext || !options.endSessions) await clearSessions(place, target);
}

/** Throws DATABASE_IN_USE when somebody is there and may not, or cannot, be sent away. Exported for its test. */
export async function clearSessions(
  {
    connection,
    options,
  }: { connection: Pick<MysqlConnection, 'query' | 'signal'>; options: Pick<MysqlRestoreOptions, 'endSessions'> },
  target: string,
): Promise<void> {
  const sessions = await sessionsOf(connection, target);
  if (sessions.length === 0) return;
  if (!options.endSessions) throw inUse(target, sessions);
  const refusals = new Map<string, unknown>();
  for (const { id } of sessions) {
    // One that ended meanwhile is no failure; whether they have gone is looked at.
    await connection.query(`KILL CONNECTION ${Number(id)}`).catch((error: unknown) => refusals.set(id, error));
  }
  const ids = new Set(sessions.map(({ id }) => id));
  // What a session has not committed is taken back first, and until then it holds its tables.
  for (const since = systemClock.monotonicMs(); ; await systemClock.sleep(END_STEP_MS, connection.signal)) {
    const left = (await sessionsOf(connection, target)).filter(({ id }) => ids.has(id));
    if (left.length === 0) return;
    const refused = left.find(({ id }) => refusals.has(id));
    if (refused) throw inUse(target, left, refusals.get(refused.id));
    if (systemClock.monotonicMs() - since > END_LIMIT_MS) throw inUse(target, left);
  }
}

function inUse(target: string, sessions: readonly DatabaseSession[], cause?: unknown): AppError {
  const name = `database ${target}`;
  return new AppError('DATABASE_IN_USE', { name, sessions: describeSessions(sessions) }, { cause });
}
