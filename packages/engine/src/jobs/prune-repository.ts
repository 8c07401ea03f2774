import type { PruneRepositoryJob, PruneRepositoryResult } from '@backupx/contracts/jobs';
import { leaseOf, sweepUsername } from '../repository/locks.ts';
import { markForSweep, pruneExclusively, sweepCondemned } from '../repository/maintenance/prune-repository.ts';
import type { JobContext } from './job-context.ts';
import type { RepositoryWork } from './open-repository-access.ts';
import { withMaintenance } from './with-maintenance.ts';

/** Frees the space of what no snapshot needs, in one go or in one of the two phases beside backups. */
export function pruneRepository(job: PruneRepositoryJob, context: JobContext): Promise<PruneRepositoryResult> {
  const { repository, phase, youngerLeases, lastOlderLease = Number.POSITIVE_INFINITY } = job;
  const options = { ...job, condemnedPacks: repository.condemnedPacks };
  const run = { exclusive: pruneExclusively, mark: markForSweep, sweep: sweepCondemned }[phase];
  const younger = new Set(youngerLeases);
  const { leaseScope = '' } = repository;
  const isYounger = (lease: number): boolean => younger.has(lease) || lease > lastOlderLease;
  const locks: Record<typeof phase, RepositoryWork> = {
    exclusive: { lock: 'exclusive' },
    mark: { lock: 'shared' },
    sweep: {
      lock: 'exclusive',
      lockUsername: sweepUsername(leaseScope),
      ignoreLock: (lock) => isYounger(leaseOf(lock, leaseScope)),
    },
  };
  // The lock of a sweep must be known as such: it has no lease of its own.
  const access = phase === 'sweep' ? { ...repository, leaseId: 0 } : repository;
  return withMaintenance(context, { access, ...locks[phase] }, (work) => run(work, options));
}
