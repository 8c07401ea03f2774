/** How a job may use its storages, and how long it puts up with one that does not answer. */
import type { AppError } from '@backupx/contracts/errors';
import { jobLanes } from '@backupx/contracts/job-lanes';
import type { Job, JobKind } from '@backupx/contracts/jobs';
import type { JobContext, StorageLimits } from './job-context.ts';

/** As long as restic waits: masters are restarted and lines come back within that. */
export const DEFAULT_PATIENCE_MS = 15 * 60_000;

/** Work in a thread of its own that is a question all the same: somebody sits there and wants to know what is wrong. */
const questions: ReadonlySet<JobKind> = new Set([
  'init_repository',
  'find_in_repository',
  'diff_snapshots',
  'repository_keys',
]);

/** Whether a job goes on after an outage; others fail soon, since somebody waits for their answer: also for a dry run. */
export function isPatient(job: JobToJudge): boolean {
  const isDryRun = job.dryRun === true || job.snapshot?.dryRun === true;
  return jobLanes[job.kind] === 'work' && !questions.has(job.kind) && !isDryRun;
}

/** Of a backup into a repository its snapshot says whether it is a dry run. */
interface JobToJudge extends Pick<Job, 'kind'> {
  readonly dryRun?: boolean | undefined;
  readonly snapshot?: { readonly dryRun: boolean } | null | undefined;
}

/** The limits of one storage of a job; what happens to it goes to the log of the job, as `name`. */
export function storageLimits(context: JobContext, name: string, bandwidthBytesPerSecond = 0): StorageLimits {
  const { storageAttempts: attempts, storagePatienceMs: patienceMs, reporter } = context;
  if (!patienceMs) return { bandwidthBytesPerSecond, attempts };
  const onOutage = (error: AppError | null) => {
    if (error === null) return reporter.log('info', `${name} answers again.`);
    reporter.log('warn', `${name}: ${error.message} Trying again for up to ${durationText(patienceMs)}.`);
  };
  return { bandwidthBytesPerSecond, attempts, patienceMs, onOutage };
}

function durationText(ms: number): string {
  const minutes = Math.round(ms / 60_000);
  return minutes > 1 ? `${minutes} minutes` : `${Math.round(ms / 1000)} seconds`;
}
