/** Opening a repository for a job: its storage, its lock, and both closed again whatever happens. */
import { hostname } from 'node:os';
import { AppError } from '@backupx/contracts/errors';
import type { JobTarget, RepositoryAccess } from '@backupx/contracts/jobs';
import { systemClock } from '../ports/clock.ts';
import type { Storage } from '../ports/storage.ts';
import type { LockFile } from '../repository/format/lock-file.ts';
import { unpackMasterKey } from '../repository/format/master-key.ts';
import { acquireLock, type HeldLock, type LockOwner } from '../repository/locks.ts';
import {
  openRepository,
  type Repository,
  type RepositoryPlace,
  type RepositoryUnlock,
} from '../repository/open-repository.ts';
import { ownUser } from '../repository/own-user.ts';
import type { JobContext } from './job-context.ts';
import { storageLimits } from './storage-limits.ts';

export interface RepositoryWork {
  /** `shared` for work that adds or must not lose what it reads, `exclusive` for work that removes, null for a look. */
  readonly lock: 'shared' | 'exclusive' | null;
  /** 0 or left out: unlimited. */
  readonly bandwidthBytesPerSecond?: number;
  /** Locks that need not be minded. */
  readonly ignoreLock?: (lock: LockFile) => boolean;
  /** User name in the lock, where it says more than who runs this process. */
  readonly lockUsername?: string;
}

/** Where a repository lies, and through whom it is reached. */
export interface RepositoryAddress {
  /** Id in the master. */
  readonly id: number;
  readonly target: JobTarget;
  readonly prefix: string;
}

/**
 * Does `work` on an open repository. Its signal is aborted with the job's, and with REPOSITORY_LOCK_LOST when the lock
 * could not be kept. Throws REPOSITORY_*, STORAGE_*, CANCELLED and what `work` throws.
 */
export async function withRepository<T>(
  context: JobContext,
  access: RepositoryAccess,
  options: RepositoryWork,
  work: (repository: Repository, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  return await withPlace(context, access, options.bandwidthBytesPerSecond ?? 0, async (place) => {
    const repository = await openRepository(place, unlockOf(access), context.signal);
    if (options.lock === null) return await work(repository, context.signal);
    return await underLock({ context, access, options, repository }, work);
  });
}

/** Does `work` with the place of a repository that need not be there yet, and closes its storage. */
export async function withPlace<T>(
  context: JobContext,
  address: RepositoryAddress,
  bandwidthBytesPerSecond: number,
  work: (place: RepositoryPlace) => Promise<T>,
): Promise<T> {
  const storage = await openStorageOf(context, address, bandwidthBytesPerSecond);
  const { name, viaMaster } = address.target;
  // The gateway of the master knows by its address alone which repository is meant.
  const prefix = viaMaster ? '' : address.prefix;
  try {
    return await work({ storage, prefix, label: address.prefix === '' ? name : `${name}/${address.prefix}` });
  } finally {
    await storage.close?.().catch(() => {});
  }
}

async function openStorageOf(
  context: JobContext,
  address: RepositoryAddress,
  bandwidthBytesPerSecond: number,
): Promise<Storage> {
  const { target, id } = address;
  const limits = storageLimits(context, target.name, bandwidthBytesPerSecond);
  if (!target.viaMaster && target.type === 'rest') {
    // Loaded when it is needed: it brings an HTTP client along.
    const { openRestServer } = await import('./open-rest-server.ts');
    return context.drivers.decorate(await openRestServer(target.config), limits);
  }
  if (!target.viaMaster) return context.drivers.openStorage(target, limits);
  const { relay } = context;
  if (!relay || id === 0) {
    throw new AppError('NOT_SUPPORTED', {
      what: `Reaching ${target.name} through the master`,
      hint: 'Only agents do this, for repositories that the master knows.',
    });
  }
  const { masterUrl, token, proxyUrl, caCertificate, insecureTls } = relay;
  // Only agents need it, and it brings an HTTP client along.
  const { createRestStorage } = await import('../repository/rest-storage.ts');
  const storage = createRestStorage({ url: `${masterUrl}/r/${id}/`, token, proxyUrl, caCertificate, insecureTls });
  return context.drivers.decorate(storage, limits);
}

/** What opens a repository, out of the text form of a job. */
export function unlockOf({ unlock }: RepositoryAccess): RepositoryUnlock {
  return 'password' in unlock ? unlock : { masterKey: unpackMasterKey(unlock.masterKey) };
}

interface LockedWork {
  readonly context: JobContext;
  readonly access: RepositoryAccess;
  readonly options: RepositoryWork;
  readonly repository: Repository;
}

async function underLock<T>(
  { context, access, options, repository }: LockedWork,
  work: (repository: Repository, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const lost = new AbortController();
  const signal = AbortSignal.any([context.signal, lost.signal]);
  const lock = await takeLock({ context, access, options, repository }, (error) => {
    context.reporter.log('error', error.message);
    lost.abort(error);
  });
  try {
    const result = await work(repository, signal);
    if (lost.signal.aborted) throw lost.signal.reason;
    return result;
  } catch (error) {
    // After a sleep of the machine what it did not find may have been removed by others.
    if (!context.signal.aborted) await repository.assertLocked?.(context.signal).catch(() => {});
    // Whatever the work made of it, this is why it ended.
    throw lost.signal.aborted && !context.signal.aborted ? lost.signal.reason : error;
  } finally {
    await lock.release();
  }
}

function takeLock(
  { context, access, options, repository }: LockedWork,
  onLost: (error: AppError) => void,
): Promise<HeldLock> {
  const owner: LockOwner = { hostname: hostname(), pid: process.pid, ...ownUser() };
  return acquireLock(repository, {
    exclusive: options.lock === 'exclusive',
    owner: options.lockUsername === undefined ? owner : { ...owner, username: options.lockUsername },
    signal: context.signal,
    clock: systemClock,
    leaseId: access.leaseId,
    leaseScope: access.leaseScope,
    ignore: options.ignoreLock,
    onLost,
  });
}
