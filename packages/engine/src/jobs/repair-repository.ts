import type { RepairRepositoryJob, RepairRepositoryResult } from '@backupx/contracts/jobs';
import { repairIndex } from '../repository/maintenance/repair-index.ts';
import { repairSnapshots } from '../repository/maintenance/repair-snapshots.ts';
import type { JobContext } from './job-context.ts';
import { withMaintenance } from './with-maintenance.ts';

/** Makes the index anew from the packs, or snapshots without what is lost. A dry run shares the repository. */
export function repairRepository(job: RepairRepositoryJob, context: JobContext): Promise<RepairRepositoryResult> {
  const lock = job.dryRun ? 'shared' : 'exclusive';
  const run = job.what === 'index' ? repairIndex : repairSnapshots;
  return withMaintenance(context, { access: job.repository, lock }, (work) => run(work, job));
}
