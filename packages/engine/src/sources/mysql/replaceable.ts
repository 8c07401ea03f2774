/** Whether a restore may put a database in the place of one that is there. */
import { AppError } from '@backupx/contracts/errors';
import type { MysqlConnection } from './connection.ts';
import { assertMayReplace } from './privileges.ts';
import { readInventory } from './read-inventory.ts';
import { describeSessions, sessionsOf } from './sessions.ts';
import type { MysqlRestoreOptions } from './settings.ts';
import { assertNotReferred } from './swap-database.ts';

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

/** Throws DATABASE_IN_USE when somebody is there and may not be sent away. */
async function clearSessions({ connection, options }: Place, target: string): Promise<void> {
  const sessions = await sessionsOf(connection, target);
  if (sessions.length === 0) return;
  if (!options.endSessions) {
    throw new AppError('DATABASE_IN_USE', { name: `database ${target}`, sessions: describeSessions(sessions) });
  }
  // One that ended meanwhile is no failure.
  for (const { id } of sessions) await connection.query(`KILL CONNECTION ${Number(id)}`).catch(() => {});
}
