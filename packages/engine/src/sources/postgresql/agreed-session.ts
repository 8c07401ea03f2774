import { AppError } from '@backupx/contracts/errors';
import { PsqlSession } from './psql-session.ts';
import type { Server } from './server.ts';

/** Every server has the second one, in which nobody should stay: no database can be made of it meanwhile. */
const AGREED = ['postgres', 'template1'];
/** Then it lets nobody of us in, whoever asks. At all other failures the next one would meet nobody. */
const CLOSED = ['DATABASE_NOT_FOUND', 'DATABASE_PERMISSION', 'DATABASE_AUTH'];

/**
 * A session in the database in which all restores into a server meet: advisory locks are per database, and what they
 * guard (roles) is of the whole server. Where neither is open to us it is in that of the settings. Throws DATABASE_*.
 */
export async function openAgreedSession(server: Server, signal: AbortSignal): Promise<PsqlSession> {
  for (const database of AGREED) {
    try {
      return await PsqlSession.open(server, database, signal);
    } catch (error) {
      if (!(error instanceof AppError) || !CLOSED.includes(error.code)) throw error;
    }
  }
  return await PsqlSession.open(server, server.settings.maintenanceDatabase, signal);
}
