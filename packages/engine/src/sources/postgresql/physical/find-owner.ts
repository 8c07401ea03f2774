import { userInfo } from 'node:os';
import { AppError } from '@backupx/contracts/errors';
import { findSystemUser, type SystemUser } from '../server.ts';

const USUAL_OWNER = 'postgres';

/** Whom the files of a restored server belong to; null: ourselves, and nothing is to be changed. */
export async function findOwner(
  name: string,
  signal: AbortSignal,
): Promise<{ readonly name: string; readonly user: SystemUser } | null> {
  const self = userInfo();
  if (self.uid !== 0) {
    if (name === '' || name === self.username) return null;
    throw invalid(`BackupX runs as "${self.username}" here, and only root can give files to "${name}".`);
  }
  const wanted = name === '' ? USUAL_OWNER : name;
  let user: SystemUser;
  try {
    user = await findSystemUser(wanted, signal);
  } catch (error) {
    signal.throwIfAborted();
    throw invalid((error as Error).message);
  }
  if (user.uid === 0) throw invalid('PostgreSQL refuses to run as root; choose another user.');
  return { name: wanted, user };
}

function invalid(message: string): AppError {
  return new AppError('INVALID_INPUT', {}, { fields: [{ path: 'options.owner', code: 'custom', message }] });
}
