import type { RepositoryAccess } from '@backupx/contracts/jobs';
import { systemClock } from '../ports/clock.ts';
import type { MaintenanceWork } from '../repository/maintenance/maintenance-work.ts';
import type { JobContext } from './job-context.ts';
import { type RepositoryWork, withRepository } from './open-repository-access.ts';
import { ProgressMeter } from './progress-meter.ts';

/** More threads than this wait for the one that reads. */
const MAX_THREADS = 4;

/** Does maintenance on an open, locked repository, with its log and progress going to the job's reporter. */
export async function withMaintenance<T>(
  context: JobContext,
  { access, ...options }: RepositoryWork & { readonly access: RepositoryAccess },
  run: (work: MaintenanceWork) => Promise<T>,
): Promise<T> {
  const meter = new ProgressMeter(context.reporter);
  try {
    meter.enter('preparing');
    return await withRepository(context, access, options, async (repository, signal) => {
      meter.enter('running');
      const threads = Math.max(1, Math.min(MAX_THREADS, context.compressionParallelism));
      const result = await run({ repository, signal, clock: systemClock, threads, ...reportTo(context, meter) });
      meter.enter('done');
      return result;
    });
  } finally {
    meter.stop();
  }
}

/** The hooks of maintenance as progress of a job. */
function reportTo(context: JobContext, meter: ProgressMeter) {
  const { counters } = meter;
  return {
    onTotals: (totals) => meter.setTotals(totals),
    log: (level, message) => context.reporter.log(level, message),
    onItem(name) {
      counters.itemsDone += 1;
      counters.currentItem = name;
    },
    onRead(bytes) {
      counters.bytesDone += bytes;
    },
    onStored(bytes) {
      counters.bytesStored += bytes;
    },
  } satisfies Omit<MaintenanceWork, 'repository' | 'signal' | 'clock'>;
}
