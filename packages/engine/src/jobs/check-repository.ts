import type { CheckRepositoryJob, CheckRepositoryResult } from '@backupx/contracts/jobs';
import { checkRepository as check } from '../repository/maintenance/check-repository.ts';
import { findOpenFault } from '../repository/maintenance/find-open-fault.ts';
import type { JobContext } from './job-context.ts';
import { unlockOf, withPlace } from './open-repository-access.ts';
import { withMaintenance } from './with-maintenance.ts';

/** Finds what is damaged and what still restores; that a repository cannot be opened for damage is a finding too. */
export async function checkRepository(job: CheckRepositoryJob, context: JobContext): Promise<CheckRepositoryResult> {
  try {
    return await withMaintenance(context, { access: job.repository, lock: 'shared' }, (work) => check(work, job.read));
  } catch (error) {
    if (context.signal.aborted) throw error;
    return await withPlace(context, job.repository, 0, async (place) =>
      findOpenFault(place, { unlock: unlockOf(job.repository), error, signal: context.signal }),
    );
  }
}
