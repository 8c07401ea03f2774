/**
 * The lock files of a repository and what they mean: who holds them, and whether the holder is certainly gone.
 *
 * Nobody's clock is trusted alone. A lock is stale only when its own time is old by our clock and its file is old by
 * the storage's, where that tells; our own lock file, just written, says what time it is there.
 */
import { hostname as ownHostname } from 'node:os';
import { AppError } from '@backupx/contracts/errors';
import { type Clock, systemClock } from '../ports/clock.ts';
import { parseGoTime } from './format/go-time.ts';
import { type LockFile, packLock, parseLock } from './format/lock-file.ts';
import type { Repository, RepositoryFile } from './open-repository.ts';
import { ownUser } from './own-user.ts';

/** Restic's age of a lock that nobody refreshes any more; living ones are refreshed every five minutes. */
export const STALE_AFTER_MS = 30 * 60_000;
/** Whoever may write into the folder must not be able to use up our memory. */
const MAX_LOCK_BYTES = 64 * 1024;
const READS_AT_ONCE = 8;
const CLEANUP_MS = 30_000;
const NS_PER_MS = 1_000_000n;

export interface StoredLock {
  /** Name of its file. */
  readonly id: string;
  /** Null when the file cannot be read. */
  readonly lock: LockFile | null;
  readonly modifiedAt: Date | null;
}

/** What staleness is judged by. */
export interface LockJudge {
  readonly clock: Clock;
  /** Host whose process numbers we can look up; left out: this one. */
  readonly hostname?: string;
  /** Whether a process of this host, which wrote a lock at `writtenAt`, still lives. */
  readonly isAlive?: (pid: number, writtenAt: Date) => boolean;
}

/** All locks. Files of no length are somebody's write that failed, and mean nothing. */
export async function listLocks(repository: Repository, signal: AbortSignal): Promise<StoredLock[]> {
  const files: RepositoryFile[] = [];
  for await (const file of repository.list('locks', signal)) if (file.sizeBytes > 0) files.push(file);
  const locks: (StoredLock | null)[] = files.map(() => null);
  const waiting = files.entries();
  const readNext = async () => {
    for (const [at, file] of waiting) locks[at] = await readLock(repository, file, signal);
  };
  await Promise.all(Array.from({ length: READS_AT_ONCE }, readNext));
  return locks.filter((lock) => lock !== null);
}

/** Null when it is gone meanwhile. */
async function readLock(
  repository: Repository,
  { name, sizeBytes, modifiedAt }: RepositoryFile,
  signal: AbortSignal,
): Promise<StoredLock | null> {
  if (sizeBytes > MAX_LOCK_BYTES) return { id: name, lock: null, modifiedAt };
  try {
    return { id: name, lock: parseLock(await repository.readFile('locks', name, signal)), modifiedAt };
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    if (error.code === 'STORAGE_NOT_FOUND') return null;
    if (error.code === 'REPOSITORY_DAMAGED') return { id: name, lock: null, modifiedAt };
    throw error;
  }
}

/**
 * Why a lock may be removed; null: its holder may be alive. `storageNow`: the time at the storage, where known.
 */
export function staleReason(stored: StoredLock, judge: LockJudge, storageNow: Date | null = null): string | null {
  const { lock } = stored;
  const ageMs = ageOf(stored, judge.clock, storageNow);
  if (ageMs > STALE_AFTER_MS) return `not refreshed for ${minutes(ageMs)} minutes`;
  if (!lock || lock.hostname !== (judge.hostname ?? ownHostname()) || lock.pid <= 0) return null;
  const isAlive = judge.isAlive ?? isProcessAlive;
  return isAlive(lock.pid, timeOf(lock)) ? null : `its process ${lock.pid} is gone`;
}

/** The younger of what the lock says and what the storage says. */
function ageOf({ lock, modifiedAt }: StoredLock, clock: Clock, storageNow: Date | null): number {
  const now = clock.now().getTime();
  const byStorage = modifiedAt ? (storageNow?.getTime() ?? now) - modifiedAt.getTime() : Number.POSITIVE_INFINITY;
  const byHolder = lock ? now - timeOf(lock).getTime() : Number.POSITIVE_INFINITY;
  const age = Math.min(byStorage, byHolder);
  return age === Number.POSITIVE_INFINITY ? 0 : age;
}

function timeOf(lock: LockFile): Date {
  try {
    return new Date(Number(parseGoTime(lock.time) / NS_PER_MS));
  } catch {
    return new Date(0);
  }
}

/** A number may have gone to another process since: ours wrote nothing before it started. */
function isProcessAlive(pid: number, writtenAt: Date): boolean {
  if (pid === process.pid) return writtenAt.getTime() > ownStartMs() - 1000;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** The earlier of what the clock says now and what it said then: it may have been set since, in either direction. */
function ownStartMs(): number {
  return Math.min(performance.timeOrigin + performance.now(), systemClock.now().getTime()) - process.uptime() * 1000;
}

/** A person's words for a lock, e.g. `exclusive lock of root@db1 (pid 812), 3 minutes old`. */
export function holderOf(stored: StoredLock, clock: Clock): string {
  const { lock } = stored;
  const age = minutes(Math.max(0, ageOf(stored, clock, null)));
  if (!lock) return `lock ${stored.id.slice(0, 8)} that cannot be read, ${ageText(age)}`;
  const kind = lock.exclusive ? 'exclusive lock' : 'lock';
  return `${kind} of ${lock.username}@${lock.hostname} (pid ${lock.pid}), ${ageText(age)}`;
}

function minutes(ms: number): number {
  return Math.floor(ms / 60_000);
}

function ageText(age: number): string {
  if (age < 120) return age === 1 ? '1 minute old' : `${age} minutes old`;
  return age < 48 * 60 ? `${Math.floor(age / 60)} hours old` : `${Math.floor(age / 1440)} days old`;
}

export interface RemovedLocks {
  readonly removed: { readonly id: string; readonly holder: string; readonly reason: string }[];
  readonly left: { readonly id: string; readonly holder: string }[];
}

/** Removes stale locks, or `all`: also those of living work, and files of no length. */
export async function removeStaleLocks(
  repository: Repository,
  options: LockJudge & { readonly all: boolean; readonly signal: AbortSignal },
): Promise<RemovedLocks> {
  const { signal, all, clock } = options;
  const result: RemovedLocks = { removed: [], left: [] };
  const locks = await listLocks(repository, signal);
  const hasOld = locks.some((stored) => ageOf(stored, clock, null) > STALE_AFTER_MS);
  const storageNow = hasOld && !all ? await timeAtStorage(repository, options) : null;
  for (const stored of locks) {
    const { id } = stored;
    const holder = holderOf(stored, clock);
    const reason = staleReason(stored, options, storageNow) ?? (all ? 'asked for' : null);
    if (reason === null) result.left.push({ id, holder });
    else {
      await repository.removeFile('locks', id, signal);
      result.removed.push({ id, holder, reason });
    }
  }
  if (all) await removeEmptyFiles(repository, result, signal);
  return result;
}

/** What time it is at the storage, by a lock of our own that stands there for a moment; null: it does not tell. */
async function timeAtStorage(
  repository: Repository,
  { clock, hostname = ownHostname(), signal }: LockJudge & { readonly signal: AbortSignal },
): Promise<Date | null> {
  const time = clock.now().toISOString();
  const lock = packLock({ time, exclusive: false, hostname, pid: process.pid, ...ownUser() });
  const id = await repository.saveFile('locks', lock, signal);
  try {
    for await (const { name, modifiedAt } of repository.list('locks', signal)) if (name === id) return modifiedAt;
    return null;
  } finally {
    await repository.removeFile('locks', id, AbortSignal.timeout(CLEANUP_MS));
  }
}

async function removeEmptyFiles(repository: Repository, result: RemovedLocks, signal: AbortSignal): Promise<void> {
  const names: string[] = [];
  for await (const { name, sizeBytes } of repository.list('locks', signal)) if (sizeBytes === 0) names.push(name);
  for (const name of names) {
    await repository.removeFile('locks', name, signal);
    result.removed.push({ id: name, holder: `lock ${name.slice(0, 8)} without content`, reason: 'asked for' });
  }
}
