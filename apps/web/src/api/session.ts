/** Who is signed in. A small store outside React so that the client, the router and the pages see the same user. */

import type { User } from '@backupx/contracts/api/auth';
import { useSyncExternalStore } from 'react';
import { ApiError, call, configureClient } from './client.ts';
import type { Role } from './types.ts';

export type Session =
  | { readonly state: 'setup' }
  | { readonly state: 'signed-out'; readonly ended: boolean }
  | { readonly state: 'unreachable'; readonly error: unknown }
  | { readonly state: 'signed-in'; readonly user: User };

let session: Session = { state: 'signed-out', ended: false };
const listeners = new Set<() => void>();

function setSession(next: Session): void {
  session = next;
  for (const listener of listeners) listener();
}

configureClient({
  onSessionEnded: () => {
    if (session.state === 'signed-in') setSession({ state: 'signed-out', ended: true });
  },
});

/** Asks the server who we are; decides between set-up, login and the console. Never throws. */
export async function openSession(): Promise<void> {
  try {
    const { csrfToken, ...user } = await call('auth.profile', {});
    configureClient({ csrfToken: csrfToken ?? '' });
    setSession({ state: 'signed-in', user });
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 401) {
      if (!(error instanceof ApiError) || error.code !== 'AUTH_SETUP_REQUIRED') {
        setSession({ state: 'unreachable', error });
        return;
      }
    }
    try {
      const { initialized } = await call('auth.setupStatus', {});
      setSession(initialized ? { state: 'signed-out', ended: false } : { state: 'setup' });
    } catch (cause) {
      setSession({ state: 'unreachable', error: cause });
    }
  }
}

/** Signs in; throws ApiError when refused. */
export async function signIn(username: string, password: string): Promise<void> {
  const answer = await call('auth.login', { body: { username, password } });
  configureClient({ csrfToken: answer.csrfToken });
  setSession({ state: 'signed-in', user: answer.user });
}

/** Creates the first administrator and signs in as them. */
export async function setUp(body: { username: string; password: string; displayName?: string }): Promise<void> {
  const answer = await call('auth.setup', { body });
  configureClient({ csrfToken: answer.csrfToken });
  setSession({ state: 'signed-in', user: answer.user });
}

/** Ends the session on the server and then here. Throws ApiError when that failed: the user is signed in still. */
export async function signOut(): Promise<void> {
  try {
    await call('auth.logout', {});
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 401) throw error;
  }
  setSession({ state: 'signed-out', ended: false });
}

export function currentSession(): Session {
  return session;
}

export function useSession(): Session {
  return useSyncExternalStore((listener) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  }, currentSession);
}

const RANK: Readonly<Record<Role, number>> = { viewer: 0, operator: 1, admin: 2 };

/** The signed-in user and what they may do; only below the session gate. */
export function useUser(): User & { can: (needed: Role) => boolean } {
  const current = useSession();
  if (current.state !== 'signed-in') throw new Error('useUser outside a session');
  return { ...current.user, can: (needed) => RANK[current.user.role] >= RANK[needed] };
}
