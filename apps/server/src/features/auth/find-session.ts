/** Looks a session token up for `http/authenticate.ts`. */
import type { Role } from '@backupx/contracts/api/auth';
import type { Clock } from '@backupx/engine/ports/clock';
import type { Db } from '../../dispatch/ports.ts';
import type { FoundSession } from '../../http/authenticate.ts';
import { sessionsStore } from '../../stores/sessions.store.ts';
import { hashToken } from './sign-in.ts';

/** `last_used_at` is written at most this often, so that reading pages does not write the database. */
const TOUCH_EVERY_MS = 60_000;

export function createFindSession({ db, clock }: { readonly db: Db; readonly clock: Clock }) {
  return async (token: string): Promise<FoundSession | null> => {
    if (token.length > 512) return null;
    const now = clock.now();
    const row = await sessionsStore.findWithUser(db, hashToken(token), now.toISOString());
    if (!row) return null;
    if (now.getTime() - Date.parse(row.last_used_at) > TOUCH_EVERY_MS) {
      await sessionsStore.touch(db, row.session_id, now.toISOString());
    }
    return {
      sessionId: row.session_id,
      userId: row.user_id,
      username: row.username,
      role: row.role as Role,
      csrfToken: row.csrf_token,
    };
  };
}
