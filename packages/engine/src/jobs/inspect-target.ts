import { AppError } from '@backupx/contracts/errors';
import type { InspectTargetJob, InspectTargetResult } from '@backupx/contracts/jobs';
import type { JobContext } from './job-context.ts';
import { openSource, parseOptions } from './parse-settings.ts';

/** Asks a source what a restore would replace. Throws NOT_SUPPORTED for one that cannot be asked, and DATABASE_*. */
export async function inspectTarget(job: InspectTargetJob, context: JobContext): Promise<InspectTargetResult> {
  const { driver, config } = openSource(context.drivers.sources, job.source);
  if (!driver.inspectTarget) {
    const what = `Asking what a restore of ${driver.title} would replace`;
    throw new AppError('NOT_SUPPORTED', { what, hint: 'Start the restore; it stops before it replaces anything.' });
  }
  const { signal, tempDir } = context;
  const options = parseOptions(driver, job.options);
  return await driver.inspectTarget(config, { signal, tempDir, options, entries: job.entries });
}
