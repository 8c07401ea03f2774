/** Where a job says how far it is. Implementations must not block or throw: a slow master never slows a backup. */
import type { JobProgress, LogLevel } from '@backupx/contracts/jobs';

export interface Reporter {
  /** Called at most twice a second per job, and once at each change of phase. */
  progress(progress: JobProgress): void;
  log(level: LogLevel, message: string): void;
}

/** Throws everything away. */
export const silentReporter: Reporter = { progress() {}, log() {} };
