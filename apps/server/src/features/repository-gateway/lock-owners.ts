/**
 * Whose locks are whose. A client may take away its own locks and such as nobody refreshes any more; not those of other
 * clients, nor the one the master holds while it cleans up: `unlock --remove-all` on one machine must not make the
 * master delete under a running backup of another.
 *
 * Only what happened since the server started is known: of older locks nobody can say whose they are, and the work of
 * the master that held any has ended with it.
 */
import type { Clock } from '@backupx/engine/ports/clock';

/** Restic's age of a lock that nobody refreshes any more. */
const STALE_AFTER_MS = 30 * 60_000;
const MAX_LOCKS = 10_000;

export interface GatewayLock {
  readonly repositoryId: number;
  readonly name: string;
  readonly caller: string;
}

export interface LockOwners {
  /** Remembers who has stored a lock. */
  stored(lock: GatewayLock): void;
  /** Whether `caller` has stored it since the server started. */
  isOwn(lock: GatewayLock): boolean;
  /** Whether a lock that is not the caller's may be taken away; `modifiedAt` as the storage tells it. */
  isAbandoned(lock: GatewayLock, modifiedAt: Date | null): boolean;
}

export function createLockOwners(clock: Pick<Clock, 'now'>): LockOwners {
  const owners = new Map<string, string>();
  const startedMs = clock.now().getTime();
  const keyOf = ({ repositoryId, name }: GatewayLock) => `${repositoryId} ${name}`;
  return {
    stored(lock) {
      owners.set(keyOf(lock), lock.caller);
      if (owners.size > MAX_LOCKS) owners.delete(owners.keys().next().value ?? '');
    },
    isOwn: (lock) => owners.get(keyOf(lock)) === lock.caller,
    isAbandoned(lock, modifiedAt) {
      const isKnown = owners.has(keyOf(lock));
      if (!modifiedAt) return !isKnown;
      const isOld = clock.now().getTime() - modifiedAt.getTime() > STALE_AFTER_MS;
      return isOld || (!isKnown && modifiedAt.getTime() < startedMs);
    },
  };
}
