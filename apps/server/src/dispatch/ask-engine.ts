import { AppError } from '@backupx/contracts/errors';
import type { JobResults } from '@backupx/contracts/jobs';
import type { Engine } from '@backupx/engine/ports/engine';
import { silentReporter } from '@backupx/engine/ports/reporter';
import type { ControlJob } from './ports.ts';

/** Runs a quick question on the master's own machine. Throws TIMEOUT after `timeoutMs`, or the question's own error. */
export async function askEngine<J extends ControlJob>(
  engine: Pick<Engine, 'run'>,
  job: J,
  timeoutMs: number,
): Promise<JobResults[J['kind']]> {
  const signal = AbortSignal.timeout(timeoutMs);
  try {
    return (await engine.run(job, { reporter: silentReporter, signal })) as JobResults[J['kind']];
  } catch (error) {
    if (!signal.aborted) throw error;
    const params = { what: job.kind.replaceAll('_', ' '), seconds: timeoutMs / 1000 };
    throw new AppError('TIMEOUT', params, { cause: error });
  }
}
