/** Whether a restore may put a database in the place of one that is there. */
import { AppError } from '@backupx/contracts/errors';
import type { DatabaseSession } from '@backupx/contracts/jobs';
import type { InventoryObject } from '../../ports/database-inventory.ts';
import { endSessions } from '../../ports/end-sessions.ts';
import type { MysqlConnection } from './connection.ts';
import { assertMayReplace } from './privileges.ts';
import { readInventory } from './read-inventory.ts';
import { describeSessions, sessionsOf } from './sessions.ts';
import type { MysqlRestoreOptions } from './settings.ts';
import { UNENCODED } from './sql-text.ts';
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
  assertMovable(target, objects);
  await assertNotReferred(connection, target);
  await assertMayReplace(connection, target);
  if (isSwapNext || !options.endSessions) await clearSessions(place, target);
}

/** Throws RESTORE_TARGET_INVALID: to such a name the server renames nothing. */
function assertMovable(target: string, objects: readonly InventoryObject[]): void {
  const names = objects.map(({ name }) => name).filter((name) => name.startsWith(UNENCODED));
  if (names.length === 0) return;
  const reason = `its tables ${names.slice(0, 5).join(', ')} cannot be moved aside; mariadb-check --fix-table-names (on MySQL mysqlcheck) renames them`;
  throw new AppError('RESTORE_TARGET_INVALID', { path: target, reason });
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
  await endSessions(sessions, {
    list: () => sessionsOf(connection, target),
    end: ({ id }) => connection.query(`KILL CONNECTION ${Number(id)}`),
    inUse: (left, cause) => inUse(target, left, cause),
    signal: connection.signal,
  });
}

function inUse(target: string, sessions: readonly DatabaseSession[], cause?: unknown): AppError {
  const name = `database ${target}`;
  return new AppError('DATABASE_IN_USE', { name, sessions: describeSessions(sessions) }, { cause });
}
