/** Kills jobs of ours in the middle, at a random moment or at an exact step, and tells how many died so far. */
import type { JobKind, JobOf } from '@backupx/contracts/jobs';
import { startJob } from './repository.ts';

/** Kills in the whole test command; `BACKUPX_TEST_KILLS=1000 npm test -- kill` asks for more. */
const TOTAL_KILLS = Number(process.env.BACKUPX_TEST_KILLS ?? 110);

/** This part of all kills. */
export const killShare = (share: number): number => Math.max(1, Math.ceil(TOTAL_KILLS * share));

export interface KillOptions {
  readonly tempDir: string;
  /** The folder whose changes are counted, for `atStep`. */
  readonly folder: string;
  /** Milliseconds after the start of the process. */
  readonly afterMs?: number;
  /** Step of the run, see `FAULT_KILL_AT` in disk-faults.ts. */
  readonly atStep?: number;
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs the job and kills it. True: it died of that; false: it had ended before (and then it must have succeeded). */
export async function killJob<K extends JobKind>(job: JobOf<K>, options: KillOptions): Promise<boolean> {
  const child = startJob(job, {
    tempDir: options.tempDir,
    preload: 'disk-faults.ts',
    env: {
      ...options.env,
      FAULT_FOLDER: options.folder,
      ...(options.atStep ? { FAULT_KILL_AT: String(options.atStep) } : {}),
    },
  });
  const timer =
    options.afterMs === undefined ? null : setTimeout(() => child.process.kill('SIGKILL'), Math.round(options.afterMs));
  try {
    await child.result;
    return false;
  } catch (error) {
    if (child.process.signalCode !== 'SIGKILL') throw error;
    return true;
  } finally {
    if (timer) clearTimeout(timer);
  }
}
