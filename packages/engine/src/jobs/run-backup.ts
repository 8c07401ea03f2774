/**
 * One backup: source → archive → compression → encryption → checksum → storages, streamed end to end, then the list
 * of contents the same way. Nothing is left in a storage when the run fails or is cancelled.
 */
import type { RunBackupJob, RunBackupResult } from '@backupx/contracts/jobs';
import type { JobContext } from './job-context.ts';

/**
 * Runs a backup. Throws SOURCE_*, the first target's error when all targets failed, CANCELLED. A problem with single
 * items, with some of the targets or with the list of contents makes the result a `warning`.
 */
export async function runBackup(job: RunBackupJob, context: JobContext): Promise<RunBackupResult> {
  // Each way is most of what a thread would load, and a run goes only one.
  if (job.repositories) {
    const { backupIntoRepository } = await import('./backup-into-repository.ts');
    return await backupIntoRepository(job, job.repositories, context);
  }
  const { BackupRun } = await import('./backup-run.ts');
  const run = new BackupRun(job, context);
  try {
    run.openTargets();
    run.openReader();
    await run.storeArchive();
    await run.storeContents();
    return run.result();
  } catch (error) {
    await run.removeStored();
    throw error;
  } finally {
    await run.close();
  }
}
