/**
 * Locks on a repository by restic's rules (internal/restic/lock.go, internal/repository/lock.go), so that stock programs and we keep out of each
 * other's way: work that only adds shares the repository, work that removes has it alone.
 *
 * Taking one: look whether a lock forbids it, write ours, wait, look again. Held ones are refreshed every five minutes,
 * new file first, then the old one goes. When that has failed for 22.5 minutes the work must end, since after 30 minutes
 * others take us for dead.
 *
 * Work that a master ordered has a lease (`backupx-lease-<scope>-<id>`), and the master's garbage collector is known by
 * its user name (`backupx-sweep-<scope>`): between those two the master itself sees to it that nothing in use is removed,
 * so a lease does not mind the sweeper's lock of its own scope. Those of another master are locks like all others.
 */
import { AppError } from '@backupx/contracts/errors';
import { outliveHangups } from '../ports/outlive-hangups.ts';
import { cancelledError, orCancelled, throwIfCancelled } from '../ports/pull-body.ts';
import { type LockFile, packLock } from './format/lock-file.ts';
import { keepLock } from './lock-keeper.ts';
import { holderOf, type LockJudge, listLocks, type StoredLock, staleReason } from './lock-list.ts';
import type { Repository } from './open-repository.ts';

const SWEEP_USERNAME = 'backupx-sweep';
const LEASE_USERNAME = 'backupx-lease';
/** Time for somebody else's lock, written at the same moment, to show. */
const RECHECK_MS = 200;
const CLEANUP_MS = 30_000;

export interface LockOwner {
  readonly hostname: string;
  readonly username: string;
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

export interface AcquireLockOptions extends Omit<LockJudge, 'hostname'> {
  readonly exclusive: boolean;
  readonly owner: LockOwner;
  readonly signal: AbortSignal;
  /** Session in the master's lease list; 0 or left out: none. */
  readonly leaseId?: number;
  /** Whose list that is, see `RepositoryAccess`. */
  readonly leaseScope?: string;
  /** True for locks that need not be minded. */
  readonly ignore?: (lock: LockFile) => boolean;
  /** Called once when the lock could not be kept: all work must stop (REPOSITORY_LOCK_LOST). */
  readonly onLost: (error: AppError) => void;
}

export interface HeldLock {
  /** Name of the lock's file; changes with each refresh. */
  readonly id: string;
  /** Throws REPOSITORY_LOCK_LOST when it is not known to be held any more; see `Repository.assertLocked`. */
  assertHeld(): Promise<void>;
  /** Removes the lock. Never throws: a lock that stays is stale after half an hour. */
  release(): Promise<void>;
}

const scoped = (name: string, scope: string): string => (scope === '' ? name : `${name}-${scope}`);

/** User name in the lock of a garbage collection that the master of this scope ordered. */
export const sweepUsername = (scope: string): string => scoped(SWEEP_USERNAME, scope);

/** The session of this scope whose lock this is; 0: none. */
export function leaseOf(lock: Pick<LockFile, 'username'>, scope: string): number {
  const prefix = `${scoped(LEASE_USERNAME, scope)}-`;
  const digits = lock.username.startsWith(prefix) ? lock.username.slice(prefix.length) : '';
  return /^\d+$/.test(digits) ? Number(digits) : 0;
}

/**
 * Takes a lock; stale ones in its way are removed. Throws REPOSITORY_LOCKED, which names the holder, CANCELLED, and what
 * the storage throws.
 */
export async function acquireLock(repository: Repository, options: AcquireLockOptions): Promise<HeldLock> {
  const { clock, signal } = options;
  throwIfCancelled(signal);
  outliveHangups();
  const judge: LockJudge = { clock, hostname: options.owner.hostname, isAlive: options.isAlive };
  assertFree(await listLocks(repository, signal), { options, judge, storageNow: null });
  const write = (writeSignal: AbortSignal) => repository.saveFile('locks', packLock(lockContent(options)), writeSignal);
  // Where the storage must be waited for it is old already when it is held.
  const writtenAt = { ms: clock.monotonicMs(), time: clock.now() };
  const id = await write(signal);
  try {
    await clock.sleep(RECHECK_MS, signal).catch(() => {
      throw cancelledError(signal);
    });
    const locks = await listLocks(repository, signal);
    const own = locks.find((lock) => lock.id === id);
    if (!own) throw new AppError('STORAGE_FAILED', { reason: 'it lost the lock that was just written' });
    const others = locks.filter((lock) => lock !== own);
    const stale = assertFree(others, { options, judge, storageNow: own.modifiedAt });
    for (const lock of stale) await repository.removeFile('locks', lock.id, signal);
  } catch (error) {
    await repository.removeFile('locks', id, AbortSignal.timeout(CLEANUP_MS)).catch(() => {});
    throw error;
  }
  const isForbidden = (locks: readonly StoredLock[]) => locks.some((lock) => isInTheWay(lock, { options, judge }));
  const first = { firstId: id, writtenAt };
  const kept = keepLock({ repository, clock, ...first, write, isForbidden, onLost: options.onLost });
  repository.assertLocked = (workSignal) => orCancelled(kept.assertHeld(), workSignal);
  return kept;
}

function lockContent({ owner, exclusive, clock, leaseId = 0, leaseScope = '' }: AcquireLockOptions): LockFile {
  const username = leaseId > 0 ? `${scoped(LEASE_USERNAME, leaseScope)}-${leaseId}` : owner.username;
  const { hostname, pid, uid, gid } = owner;
  return { time: clock.now().toISOString(), exclusive, hostname, username, pid, uid, gid };
}

interface Judgement {
  readonly options: AcquireLockOptions;
  readonly judge: LockJudge;
  readonly storageNow?: Date | null;
}

/** The stale ones among `locks`; throws REPOSITORY_LOCKED for the first that is in the way. */
function assertFree(locks: readonly StoredLock[], judgement: Judgement): StoredLock[] {
  const blocking = locks.find((lock) => isInTheWay(lock, judgement));
  if (blocking) throw new AppError('REPOSITORY_LOCKED', { holder: holderOf(blocking, judgement.judge.clock) });
  return locks.filter((lock) => staleReason(lock, judgement.judge, judgement.storageNow) !== null);
}

function isInTheWay(stored: StoredLock, { options, judge, storageNow }: Judgement): boolean {
  const { lock } = stored;
  if (staleReason(stored, judge, storageNow) !== null) return false;
  // One that cannot be read may mean anything.
  if (!lock) return true;
  if (!options.exclusive && !lock.exclusive) return false;
  if ((options.leaseId ?? 0) > 0 && lock.username === sweepUsername(options.leaseScope ?? '')) return false;
  return !options.ignore?.(lock);
}

export { listLocks, removeStaleLocks } from './lock-list.ts';
