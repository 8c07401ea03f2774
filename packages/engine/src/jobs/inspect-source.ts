import { AppError } from '@backupx/contracts/errors';
import type { InspectSourceJob, InspectSourceResult } from '@backupx/contracts/jobs';
import type { JobContext } from './job-context.ts';
import { openSource } from './parse-settings.ts';

/** Asks a source about the place it is to read. Throws NOT_SUPPORTED for one that cannot be asked, and DATABASE_*. */
export async function inspectSource({ source }: InspectSourceJob, context: JobContext): Promise<InspectSourceResult> {
  const { driver, config } = openSource(context.drivers.sources, source);
  if (!driver.inspect) {
    throw new AppError('NOT_SUPPORTED', { what: `Testing a source of type ${source.type}`, hint: 'Run the task.' });
  }
  return await driver.inspect(config, { signal: context.signal, tempDir: context.tempDir });
}
