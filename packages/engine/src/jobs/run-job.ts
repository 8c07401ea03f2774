import { AppError } from '@backupx/contracts/errors';
import type { Job, JobKind, JobOf, JobResults } from '@backupx/contracts/jobs';
import type { JobContext } from './job-context.ts';

/** A kind that is missing here is answered with NOT_SUPPORTED. */
type JobTable = { readonly [K in JobKind]?: (job: JobOf<K>, context: JobContext) => Promise<JobResults[K]> };

/** Loaded when first needed: the control plane's thread runs only the small ones, and a working thread only one. */
const table: JobTable = {
  run_backup: async (job, context) => (await import('./run-backup.ts')).runBackup(job, context),
  run_restore: async (job, context) => (await import('./run-restore.ts')).runRestore(job, context),
  verify_artifact: async (job, context) => (await import('./verify-artifact.ts')).verifyArtifact(job, context),
  inspect_source: async (job, context) => (await import('./inspect-source.ts')).inspectSource(job, context),
  inspect_target: async (job, context) => (await import('./inspect-target.ts')).inspectTarget(job, context),
  list_directory: async (job, context) => (await import('./list-directory.ts')).listDirectory(job, context),
  browse_artifact: async (job, context) => (await import('./browse-artifact.ts')).browseArtifact(job, context),
  delete_objects: async (job, context) => (await import('./delete-objects.ts')).deleteObjects(job, context),
  test_storage: async (job, context) => (await import('./test-storage.ts')).testStorage(job, context),
  init_repository: async (job, context) => (await import('./init-repository.ts')).initRepository(job, context),
  list_snapshots: async (job, context) => (await import('./list-snapshots.ts')).listSnapshots(job, context),
  find_in_repository: async (job, context) => (await import('./find-in-repository.ts')).findInRepository(job, context),
  diff_snapshots: async (job, context) => (await import('./diff-snapshots.ts')).diffSnapshots(job, context),
  forget_snapshots: async (job, context) => (await import('./forget-snapshots.ts')).forgetSnapshots(job, context),
  prune_repository: async (job, context) => (await import('./prune-repository.ts')).pruneRepository(job, context),
  check_repository: async (job, context) => (await import('./check-repository.ts')).checkRepository(job, context),
  repair_repository: async (job, context) => (await import('./repair-repository.ts')).repairRepository(job, context),
  copy_snapshots: async (job, context) => (await import('./copy-snapshots.ts')).copySnapshots(job, context),
  unlock_repository: async (job, context) => (await import('./unlock-repository.ts')).unlockRepository(job, context),
  repository_keys: async (job, context) => (await import('./repository-keys.ts')).repositoryKeys(job, context),
};

/** Runs one job in this thread. */
export function runJob(job: Job, context: JobContext): Promise<JobResults[JobKind]> {
  const run = table[job.kind] as ((job: Job, context: JobContext) => Promise<JobResults[JobKind]>) | undefined;
  if (!run) throw new AppError('NOT_SUPPORTED', { what: job.kind, hint: 'Use a newer version.' });
  return run(job, context);
}
