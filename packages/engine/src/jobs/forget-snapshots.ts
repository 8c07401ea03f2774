import type { ForgetSnapshotsJob, ForgetSnapshotsResult } from '@backupx/contracts/jobs';
import { forgetSnapshots as forget } from '../repository/maintenance/forget-snapshots.ts';
import type { JobContext } from './job-context.ts';
import { withMaintenance } from './with-maintenance.ts';

/** Removes snapshots by name or by policy. Backups may go on beside it. */
export function forgetSnapshots(job: ForgetSnapshotsJob, context: JobContext): Promise<ForgetSnapshotsResult> {
  const lock = job.dryRun ? null : 'shared';
  return withMaintenance(context, { access: job.repository, lock }, (work) => forget(work, job));
}
