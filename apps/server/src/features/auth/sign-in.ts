/** Sessions: opaque random tokens; the database holds their hashes. */
import { hash, randomBytes } from 'node:crypto';
import type { User } from '@backupx/contracts/api/auth';
import { AppError } from '@backupx/contracts/errors';
import type { Clock } from '@backupx/engine/ports/clock';
import type { Db } from '../../dispatch/ports.ts';
import { isPasswordOf } from '../../stores/hash-password.ts';
import { sessionsStore } from '../../stores/sessions.store.ts';
import { toUser, type UserRow, usersStore } from '../../stores/users.store.ts';

export interface SessionSettings {
  readonly db: Db;
  readonly clock: Clock;
  readonly sessionTtlMs: number;
}

export interface OpenedSession {
  readonly token: string;
  readonly csrfToken: string;
  readonly user: User;
}

/** SHA-256 hex; a slow hash would protect nothing, since 256 random bits cannot be guessed. */
export const hashToken = (token: string): string => hash('sha256', token);

/** Opens a session for a user whose identity is proven. */
export async function openSession(settings: SessionSettings, row: UserRow, ipAddress: string): Promise<OpenedSession> {
  const { db, clock, sessionTtlMs } = settings;
  const now = clock.now();
  const token = `bxs_${randomBytes(32).toString('base64url')}`;
  const csrfToken = randomBytes(24).toString('base64url');
  const at = now.toISOString();
  await sessionsStore.removeExpired(db, at);
  await sessionsStore.insert(db, {
    user_id: row.id,
    token_hash: hashToken(token),
    csrf_token: csrfToken,
    created_at: at,
    expires_at: new Date(now.getTime() + sessionTtlMs).toISOString(),
    last_used_at: at,
    ip_address: ipAddress,
  });
  const updated = await usersStore.update(db, row.id, { last_login_at: at });
  return { token, csrfToken, user: toUser(updated ?? row) };
}

/** Throws AUTH_INVALID_CREDENTIALS, in the same time, for a wrong password, an unknown and a disabled user. */
export async function checkPassword(db: Db, username: string, password: string): Promise<UserRow> {
  const row = await usersStore.findByName(db, username.trim());
  const usable = row && row.enabled === 1 ? row : null;
  if (!(await isPasswordOf(usable?.password_hash ?? null, password)) || !usable) {
    throw new AppError('AUTH_INVALID_CREDENTIALS');
  }
  return usable;
}
