import type { Job, JobKind, JobOf, JobResults } from '@backupx/contracts/jobs';
import { browseArtifact } from './browse-artifact.ts';
import { deleteObjects } from './delete-objects.ts';
import type { JobContext } from './job-context.ts';
import { listDirectory } from './list-directory.ts';
import { runBackup } from './run-backup.ts';
import { runRestore } from './run-restore.ts';
import { testStorage } from './test-storage.ts';
import { verifyArtifact } from './verify-artifact.ts';

type JobTable = { readonly [K in JobKind]: (job: JobOf<K>, context: JobContext) => Promise<JobResults[K]> };

const table: JobTable = {
  run_backup: runBackup,
  run_restore: runRestore,
  verify_artifact: verifyArtifact,
  list_directory: listDirectory,
  browse_artifact: browseArtifact,
  delete_objects: deleteObjects,
  test_storage: testStorage,
};

/** Runs one job in this thread. */
export function runJob(job: Job, context: JobContext): Promise<JobResults[JobKind]> {
  const run = table[job.kind] as (job: Job, context: JobContext) => Promise<JobResults[JobKind]>;
  return run(job, context);
}
