/**
 * The engine of a program that runs jobs and nothing else. Drivers, and what checks their settings, are loaded by the
 * thread of the job: all of them take longer than many a job.
 */
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { AppError } from '@backupx/contracts/errors';
import type { DriversModule } from './jobs/job-context.ts';
import { createJobRunner } from './jobs/job-runner.ts';
import { DEFAULT_PATIENCE_MS } from './jobs/storage-limits.ts';
import { endProgramsIn } from './ports/end-programs.ts';
import type { EngineOptions, JobEngine } from './ports/engine.ts';
import { startSharedThreads } from './ports/lower-priority.ts';
import { outliveHangups } from './ports/outlive-hangups.ts';
import { isMarkAlive, processMark } from './ports/process-mark.ts';

const SPOOL_PREFIX = 'engine-';
const SPOOL = /^engine-(\d+\.\d+)-[A-Za-z0-9]{6}$/;
const modules = {
  driversUrl: new URL('./load-drivers.ts', import.meta.url).href,
  readersUrl: new URL('./sources/readers.ts', import.meta.url).href,
};

const loadWhenNeeded: DriversModule['loadDrivers'] = async (job) =>
  (await import('./load-drivers.ts')).loadDrivers(job);

/** Creates it; clears away what engines of killed processes left in `tempDir`. `loadDrivers`: for the jobs of this thread. */
export function createJobEngine(options: EngineOptions, loadDrivers = loadWhenNeeded): JobEngine {
  // Jobs may hold locks in repositories, and run in threads that get no signals.
  outliveHangups();
  const tempDir = prepareTempDir(options.tempDir);
  if (options.nice) startSharedThreads();
  const runner = createJobRunner({
    loadDrivers,
    modules,
    tempDir,
    relay: () => options.relay?.() ?? null,
    compressionParallelism: options.compressionParallelism ?? availableParallelism(),
    nice: options.nice ?? 0,
    storageAttempts: options.storageAttempts,
    storagePatienceMs: options.storagePatienceMs ?? (options.storageAttempts === undefined ? DEFAULT_PATIENCE_MS : 0),
  });
  return {
    run: (job, runOptions) => runner.run(job, runOptions),
    openSnapshotStream: (request, signal) => runner.stream(request, signal),
    async close(graceMs) {
      await runner.close(graceMs);
      rmSync(tempDir, { recursive: true, force: true });
    },
  };
}

/** A folder of this engine's own below `parent`, named for the process, and none of dead processes beside it. */
function prepareTempDir(parent: string): string {
  try {
    mkdirSync(parent, { recursive: true, mode: 0o700 });
    for (const name of readdirSync(parent)) {
      // Exactly named as ours: others may keep things in the same folder.
      const mark = SPOOL.exec(name)?.[1];
      if (mark === undefined || isMarkAlive(mark)) continue;
      endProgramsIn(path.join(parent, name));
      rmSync(path.join(parent, name), { recursive: true, force: true });
    }
    return mkdtempSync(path.join(parent, `${SPOOL_PREFIX}${processMark}-`));
  } catch (error) {
    throw new AppError('INTERNAL', {}, { cause: error });
  }
}
