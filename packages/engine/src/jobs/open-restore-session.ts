import { AppError } from '@backupx/contracts/errors';
import type { RunRestoreJob } from '@backupx/contracts/jobs';
import type { RestoreContext, RestoreOutcome, RestoreSession } from '../ports/source.ts';
import type { JobContext } from './job-context.ts';
import { openSource, parseConfig } from './parse-settings.ts';
import type { ProblemList } from './problem-list.ts';
import type { ProgressMeter } from './progress-meter.ts';

/** What every kind of restore has. */
export interface RestoreParts {
  readonly job: RunRestoreJob;
  readonly context: JobContext;
  readonly problems: ProblemList;
  readonly meter: ProgressMeter;
}

/** Opens the source of a restore, with problems and progress where they belong. Throws RESTORE_TARGET_INVALID. */
export async function openRestoreSession(
  { job, context, problems, meter }: RestoreParts,
  powers: Pick<RestoreContext, 'isVerified' | 'isDryRun'> = {},
  signal = context.signal,
): Promise<RestoreSession> {
  const { driver, config } = openSource(context.drivers.sources, job.source);
  const options = driver.restoreConfig ? parseConfig({ config: driver.restoreConfig }, job.options ?? {}) : {};
  const { counters } = meter;
  return await driver.restore(config, {
    ...powers,
    signal,
    targetPath: job.targetPath,
    paths: job.paths,
    overwrite: job.overwrite,
    tempDir: context.tempDir,
    options,
    problem(problem) {
      problems.add(problem);
      counters.problemCount = problems.count;
    },
    log: (level, message) => context.reporter.log(level, message),
    progress({ items = 0, bytes = 0, currentItem }) {
      counters.itemsDone += items;
      counters.bytesDone += bytes;
      if (currentItem !== undefined) counters.currentItem = currentItem;
    },
  });
}

/** Throws RESTORE_NOTHING_WRITTEN with the reason. */
export function assertSomethingWritten(outcome: RestoreOutcome, { job, problems }: RestoreParts): void {
  if (outcome.itemsWritten > 0) return;
  throw new AppError('RESTORE_NOTHING_WRITTEN', { reason: nothingWrittenReason(outcome, job, problems.count) });
}

function nothingWrittenReason({ itemsSkipped }: RestoreOutcome, job: RunRestoreJob, problemCount: number): string {
  if (problemCount > 0) return `all of it met problems (${problemCount}), see the log`;
  if (itemsSkipped > 0) {
    return `${itemsSkipped} item(s) were there already and the overwrite mode is "${job.overwrite.replace('_', ' ')}"`;
  }
  return job.paths === null ? 'the artifact is empty' : 'none of the selected paths is in the artifact';
}
