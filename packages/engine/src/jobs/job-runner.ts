/**
 * Runs jobs where they belong: long work in a thread of its own, quick questions here, so that neither the control
 * plane nor a question ever waits for data.
 */
import type { Worker } from 'node:worker_threads';
import { AppError, toAppError } from '@backupx/contracts/errors';
import { jobLanes } from '@backupx/contracts/job-lanes';
import type { BrowseArtifactJob, Job, JobKind, JobOf, JobResults } from '@backupx/contracts/jobs';
import { systemClock, waitAtMost } from '../ports/clock.ts';
import type { RelaySettings, RunJobOptions, SnapshotStreamRequest } from '../ports/engine.ts';
import { cancelledError, orCancelled, throwIfCancelled } from '../ports/pull-body.ts';
import { startThread } from '../ports/start-thread.ts';
import { unpackError } from '../ports/thread-error.ts';
import type { DriversModule } from './job-context.ts';
import { LookThread } from './look-thread.ts';
import { runJob } from './run-job.ts';
import { isPatient } from './storage-limits.ts';
import type { DriverModules, FromJobWorker, JobWorkerData, ToJobWorker } from './thread-messages.ts';

/** A cancelled job has this long to clean up before its thread is ended. */
const CANCEL_GRACE_MS = 30_000;

/** Most of what a job makes is short-lived; the default would let it take three times that before it is cleared. */
const YOUNG_MB = 6;
/** From 2 GB up the runtime would let the heap grow fourfold between two collections, below it less than twofold. */
const OLD_MB = 2000;

/** Ending a thread takes milliseconds, or for ever. */
const TERMINATE_GRACE_MS = 2_000;

export interface JobRunnerOptions {
  /** For the jobs that run here. */
  readonly loadDrivers: DriversModule['loadDrivers'];
  readonly modules: DriverModules;
  readonly tempDir: string;
  readonly relay: () => RelaySettings | null;
  readonly compressionParallelism: number;
  /** Of work nobody sits and waits for. */
  readonly nice: number;
  readonly storageAttempts?: number;
  /** For work that nobody sits and waits for; 0: as for questions. */
  readonly storagePatienceMs: number;
  readonly cancelGraceMs?: number;
}

export interface JobRunner {
  run<K extends JobKind>(job: JobOf<K>, options: RunJobOptions): Promise<JobResults[K]>;
  /** Streams out of a snapshot; see `ports/engine.ts`. */
  stream(request: SnapshotStreamRequest, signal: AbortSignal): AsyncIterable<Uint8Array>;
  /** Cancels everything and waits for the cleanup at most `graceMs`; what is left then is ended. */
  close(graceMs: number): Promise<void>;
}

interface Running {
  readonly abort: AbortController;
  readonly ended: Promise<unknown>;
  worker: Worker | null;
}

export function createJobRunner(options: JobRunnerOptions): JobRunner {
  const running = new Set<Running>();
  const looking = new LookThread({ ...options, driversUrl: options.modules.driversUrl });
  let isClosed = false;
  return {
    async run<K extends JobKind>(job: JobOf<K>, { reporter, signal: asked }: RunJobOptions): Promise<JobResults[K]> {
      if (isClosed || asked.aborted) throw new AppError('CANCELLED');
      const abort = new AbortController();
      const signal = AbortSignal.any([asked, abort.signal]);
      const entry: Running = { abort, worker: null, ended: Promise.resolve() };
      const work =
        jobLanes[job.kind] === 'work'
          ? runInWorker({ job, options, reporter, signal, onStart: (worker) => Object.assign(entry, { worker }) })
          : isAboutSnapshot(job)
            ? looking.browse(job, signal)
            : runHere({ job, options, reporter, signal });
      Object.assign(entry, { ended: work.catch(() => {}) });
      running.add(entry);
      try {
        return (await work) as JobResults[K];
      } catch (error) {
        throw toAppError(error);
      } finally {
        running.delete(entry);
      }
    },
    async *stream(request, asked) {
      if (isClosed || asked.aborted) throw new AppError('CANCELLED');
      const abort = new AbortController();
      const signal = AbortSignal.any([asked, abort.signal]);
      const { promise: ended, resolve: end } = Promise.withResolvers<void>();
      const entry: Running = { abort, worker: null, ended };
      running.add(entry);
      try {
        yield* looking.stream(request, signal);
      } catch (error) {
        throw toAppError(error);
      } finally {
        running.delete(entry);
        end();
      }
    },
    async close(graceMs) {
      isClosed = true;
      const left = [...running];
      for (const { abort } of left) abort.abort();
      await waitAtMost(systemClock, Promise.all(left.map(({ ended }) => ended)), graceMs);
      // A thread inside a call of the system that never returns cannot be ended; the process can go without it.
      const ends = [...running].map(async ({ worker }) => worker?.terminate());
      await waitAtMost(systemClock, Promise.all([...ends, looking.close()]), TERMINATE_GRACE_MS);
    },
  };
}

interface RunParts {
  readonly job: Job;
  readonly options: JobRunnerOptions;
  readonly reporter: RunJobOptions['reporter'];
  readonly signal: AbortSignal;
}

/** Such a question may have to read an index of millions of blobs first. */
function isAboutSnapshot(job: Job): job is BrowseArtifactJob {
  return job.kind === 'browse_artifact' && Boolean(job.artifact.snapshot);
}

async function runHere({ job, options, reporter, signal }: RunParts): Promise<JobResults[JobKind]> {
  const { tempDir, compressionParallelism, storageAttempts } = options;
  const drivers = await options.loadDrivers(job);
  throwIfCancelled(signal);
  const work = runJob(job, {
    drivers,
    signal,
    reporter,
    tempDir,
    relay: options.relay(),
    compressionParallelism,
    storageAttempts,
    readersUrl: null,
    openReader: () => {
      throw new AppError('INTERNAL', {}, { cause: new Error('backups run in threads') });
    },
  });
  work.catch(() => {});
  return await orCancelled(work, signal);
}

function runInWorker(parts: RunParts & { onStart(worker: Worker): void }): Promise<JobResults[JobKind]> {
  const { job, options, reporter, signal } = parts;
  const { modules, tempDir, compressionParallelism, storageAttempts } = options;
  const storagePatienceMs = isPatient(job) ? options.storagePatienceMs : 0;
  // A backup that is only a question reads as much as one that is not.
  const isInBackground = job.kind === 'run_backup' || (isPatient(job) && job.kind !== 'run_restore');
  const nice = isInBackground ? options.nice : 0;
  const settings = { modules, tempDir, compressionParallelism, nice, storageAttempts, storagePatienceMs };
  const workerData: JobWorkerData = { ...settings, job, relay: options.relay() };
  const url = new URL('./job-worker.ts', import.meta.url);
  const resourceLimits = { maxYoungGenerationSizeMb: YOUNG_MB, maxOldGenerationSizeMb: OLD_MB };
  const worker = startThread(url, { data: workerData, name: `backupx ${job.kind}`, resourceLimits, tempDir });
  parts.onStart(worker);
  return new Promise((resolve, reject) => {
    let graceTimer: NodeJS.Timeout | null = null;
    const onAbort = () => {
      const message: ToJobWorker = { type: 'cancel' };
      worker.postMessage(message);
      graceTimer = setTimeout(() => void worker.terminate(), options.cancelGraceMs ?? CANCEL_GRACE_MS);
    };
    let outcome: (() => void) | null = null;
    worker.on('message', (message: FromJobWorker) => {
      if (message.type === 'progress') reporter.progress(message.progress);
      else if (message.type === 'log') reporter.log(message.level, message.message);
      else if (message.type === 'result') outcome = () => resolve(message.result);
      else outcome = () => reject(unpackError(message.error));
    });
    worker.on('error', (error) => {
      reporter.log('error', `The working thread ended unexpectedly: ${error.message}`);
      outcome ??= () => reject(new AppError('INTERNAL', {}, { cause: error }));
    });
    // The end of the thread, not its last word, ends the job: then its files are closed and its memory is free.
    worker.on('exit', (code) => {
      if (graceTimer) clearTimeout(graceTimer);
      signal.removeEventListener('abort', onAbort);
      if (outcome) outcome();
      else if (signal.aborted) reject(cancelledError(signal));
      else reject(new AppError('INTERNAL', {}, { cause: new Error(`the working thread ended with code ${code}`) }));
    });
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
}
