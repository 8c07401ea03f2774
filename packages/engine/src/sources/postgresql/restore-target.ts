/** What is where a database is to be restored to. */
import { AppError } from '@backupx/contracts/errors';
import { PsqlSession } from './psql-session.ts';
import { isPartial } from './select-entries.ts';
import type { Server } from './server.ts';
import { readServerObjects } from './server-objects.ts';
import type { RestoreOptions } from './settings.ts';
import { quoteLiteral } from './sql-text.ts';
import { clearSessions } from './swap-databases.ts';

/** `isKept`: it gets only what was chosen. */
export interface PresentDatabase {
  readonly isKept: boolean;
}

/**
 * Before anything is read: who would only fail at the end should fail now. Throws DATABASE_EXISTS, DATABASE_IN_USE.
 * Null: there is no such database.
 */
export async function lookAtTarget(
  target: string,
  place: { server: Server; admin: PsqlSession; options: RestoreOptions; signal: AbortSignal },
): Promise<PresentDatabase | null> {
  const { server, admin, options } = place;
  const rows = await admin.query(`SELECT 1 FROM pg_database WHERE datname = ${quoteLiteral(target)}`);
  if (rows.length === 0) return null;
  const { replaceExisting, endSessions } = options;
  if (isPartial(options)) return { isKept: true };
  if (!replaceExisting && !(await isEmpty(target, place))) {
    throw new AppError('DATABASE_EXISTS', { name: `Database "${target}"`, server: server.label });
  }
  // Our own session is in the maintenance database, and leaves it before the swap.
  if (!endSessions && target !== admin.database) await clearSessions(admin, target, { endSessions });
  return { isKept: false };
}

async function isEmpty(
  database: string,
  { server, signal }: { server: Server; signal: AbortSignal },
): Promise<boolean> {
  const session = await PsqlSession.open(server, database, signal);
  try {
    return (await readServerObjects(session)).length === 0;
  } finally {
    await session.close();
  }
}
