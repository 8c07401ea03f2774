import { AppError } from '@backupx/contracts/errors';
import type { InspectTargetJob, InspectTargetResult } from '@backupx/contracts/jobs';
import { areKnown, compareVersions } from '../ports/version-difference.ts';
import type { JobContext } from './job-context.ts';
import { openSource, parseOptions } from './parse-settings.ts';

const VERSION_UNKNOWN = 'Whether the server that was backed up is of another version is unknown.';

/** Asks a source what a restore would replace. Throws NOT_SUPPORTED for one that cannot be asked, and DATABASE_*. */
export async function inspectTarget(job: InspectTargetJob, context: JobContext): Promise<InspectTargetResult> {
  const { driver, config } = openSource(context.drivers.sources, job.source);
  if (!driver.inspectTarget) {
    const what = `Asking what a restore of ${driver.title} would replace`;
    throw new AppError('NOT_SUPPORTED', { what, hint: 'Start the restore; it stops before it replaces anything.' });
  }
  const { signal, tempDir } = context;
  const options = parseOptions(driver, job.options);
  const target = { signal, tempDir, options, entries: job.entries };
  const { product, ...found } = await driver.inspectTarget(config, target);
  return product === undefined ? found : withVersion(found, job.savedServer, product);
}

/** `saved` left out: nobody asked. */
function withVersion(found: InspectTargetResult, saved: string | undefined, target: string): InspectTargetResult {
  if (saved === undefined) return found;
  const versions = { saved, target };
  if (!areKnown(versions)) return { ...found, notes: [...(found.notes ?? []), VERSION_UNKNOWN] };
  const difference = compareVersions(versions);
  return difference === null ? found : { ...found, otherVersion: { ...versions, difference } };
}
