import type { UnlockRepositoryJob, UnlockRepositoryResult } from '@backupx/contracts/jobs';
import { systemClock } from '../ports/clock.ts';
import { removeStaleLocks } from '../repository/locks.ts';
import type { JobContext } from './job-context.ts';
import { withRepository } from './open-repository-access.ts';

/** Removes locks whose holders are gone, or all of them. */
export function unlockRepository(job: UnlockRepositoryJob, context: JobContext): Promise<UnlockRepositoryResult> {
  return withRepository(context, job.repository, { lock: null }, (repository, signal) =>
    removeStaleLocks(repository, { all: job.all, clock: systemClock, signal }),
  );
}
