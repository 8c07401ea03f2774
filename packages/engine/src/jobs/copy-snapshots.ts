import type { CopySnapshotsJob, CopySnapshotsResult } from '@backupx/contracts/jobs';
import { copySnapshots as copy } from '../repository/maintenance/copy-snapshots.ts';
import type { JobContext } from './job-context.ts';
import { withRepository } from './open-repository-access.ts';
import { withMaintenance } from './with-maintenance.ts';

/** Copies snapshots to another repository. */
export function copySnapshots(job: CopySnapshotsJob, context: JobContext): Promise<CopySnapshotsResult> {
  return withMaintenance(context, { access: job.from, lock: 'shared' }, ({ repository: from, ...work }) =>
    withRepository(context, job.to, { lock: 'shared' }, (to, signal) =>
      copy({
        ...work,
        from,
        to,
        snapshotIds: job.snapshotIds,
        condemnedPacks: job.to.condemnedPacks,
        signal: AbortSignal.any([work.signal, signal]),
      }),
    ),
  );
}
