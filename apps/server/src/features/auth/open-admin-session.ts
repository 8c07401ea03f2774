/** A session for commands that run in the server's own process (`backupx quickstart` the second time). */
import { usersStore } from '../../stores/users.store.ts';
import { openSession, type SessionSettings } from './sign-in.ts';

/** Bearer token of a new session of the oldest enabled administrator; null when there is none. */
export async function openAdminSession(settings: SessionSettings): Promise<string | null> {
  const { rows } = await usersStore.list(settings.db, {});
  const admins = rows.filter((row) => row.role === 'admin' && row.enabled === 1).sort((a, b) => a.id - b.id);
  const first = admins[0];
  if (!first) return null;
  return (await openSession(settings, first, 'local')).token;
}
