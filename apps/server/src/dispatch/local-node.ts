/**
 * The master's own machine as a node: a queue in memory in front of the engine, as many runs at once as the
 * configuration allows. Nothing here is durable on purpose: what runs when the process ends is marked `interrupted`,
 * at the stop or, after a kill, at the next start.
 */
import { AppError } from '@backupx/contracts/errors';
import type { JobProgress, JobResults } from '@backupx/contracts/jobs';
import type { Clock } from '@backupx/engine/ports/clock';
import type { Engine } from '@backupx/engine/ports/engine';
import type { Reporter } from '@backupx/engine/ports/reporter';
import { logLine } from './log-line.ts';
import type { ControlJob, JobBuilder, RecordLifecycle, RecordOwner, RecordReporter } from './ports.ts';
import { cancelledFailure, interruptedFailure, runFailureOf } from './run-failure.ts';

export interface LocalNodeDeps {
  readonly engine: Engine;
  readonly builder: JobBuilder;
  readonly lifecycle: RecordLifecycle;
  readonly reporter: RecordReporter;
  readonly clock: Clock;
  /** Runs at the same time. */
  readonly maxConcurrent: number;
  /** Told about ends that could not be written even after retries; the next start repairs them. */
  readonly onLostEnd: (run: LocalRun, error: unknown) => void;
}

export interface LocalRun {
  readonly owner: RecordOwner;
  readonly id: number;
}

export interface LocalNode {
  /** Queues a run whose record is committed. */
  submit(run: LocalRun): void;
  /** Stops a run; false when it is not here. Its end is written by the run itself. */
  cancel(run: LocalRun): boolean;
  /** Runs a quick question, at most `timeoutMs`. Throws TIMEOUT or the question's own error. */
  ask<J extends ControlJob>(job: J, timeoutMs: number): Promise<JobResults[J['kind']]>;
  counts(): { running: number; queued: number };
  /** Takes nothing new, cancels what runs and waits for its end at most `graceMs`. */
  stop(graceMs: number): Promise<void>;
}

const FINISH_ATTEMPTS = 6;

const queuedProgress: JobProgress = {
  phase: 'queued',
  itemsDone: 0,
  itemsTotal: null,
  bytesDone: 0,
  bytesTotal: null,
  bytesStored: 0,
  bytesPerSecond: 0,
  etaSeconds: null,
  percent: null,
  currentItem: null,
  problemCount: 0,
};

type StopReason = 'cancelled' | 'interrupted';

interface Entry extends LocalRun {
  readonly controller: AbortController;
  stopReason: StopReason | null;
}

export function createLocalNode(deps: LocalNodeDeps): LocalNode {
  const waiting: Entry[] = [];
  const running = new Map<Entry, Promise<void>>();
  let isStopping = false;

  const sameRun = (run: LocalRun) => (entry: Entry) => entry.owner === run.owner && entry.id === run.id;

  function reporterOf(run: LocalRun): Reporter {
    return {
      progress: (progress) => deps.reporter.progress(run.owner, run.id, progress),
      log: (level, message) => deps.reporter.appendLog(run.owner, run.id, logLine(deps.clock.now(), level, message)),
    };
  }

  async function perform(entry: Entry): Promise<() => Promise<boolean>> {
    const options = { reporter: reporterOf(entry), signal: entry.controller.signal };
    if (entry.owner === 'record') {
      const result = await deps.engine.run(await deps.builder.backupJob(entry.id), options);
      return () => deps.lifecycle.finishBackup(entry.id, { status: result.status, result });
    }
    const result = await deps.engine.run(await deps.builder.restoreJob(entry.id), options);
    return () => deps.lifecycle.finishRestore(entry.id, { status: result.status, result });
  }

  function ended(entry: Entry, error: unknown): () => Promise<boolean> {
    const outcome =
      entry.stopReason === 'cancelled'
        ? ({ status: 'cancelled', failure: cancelledFailure } as const)
        : entry.stopReason === 'interrupted'
          ? ({ status: 'interrupted', failure: interruptedFailure } as const)
          : ({ status: 'failed', failure: runFailureOf(error) } as const);
    return entry.owner === 'record'
      ? () => deps.lifecycle.finishBackup(entry.id, outcome)
      : () => deps.lifecycle.finishRestore(entry.id, outcome);
  }

  /** A full disk or a locked database must not leave a finished run "running": the end is tried again. */
  async function writeEnd(entry: Entry, end: () => Promise<boolean>): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        await end();
        return;
      } catch (error) {
        if (attempt === FINISH_ATTEMPTS) {
          deps.onLostEnd(entry, error);
          return;
        }
        await deps.clock.sleep(200 * 2 ** attempt);
      }
    }
  }

  async function runOne(entry: Entry): Promise<void> {
    let end: () => Promise<boolean>;
    try {
      entry.controller.signal.throwIfAborted();
      end = await perform(entry);
    } catch (error) {
      end = ended(entry, error);
    }
    await writeEnd(entry, end);
  }

  function pump(): void {
    while (!isStopping && running.size < deps.maxConcurrent) {
      const entry = waiting.shift();
      if (!entry) return;
      const done = runOne(entry).finally(() => {
        running.delete(entry);
        pump();
      });
      running.set(entry, done);
    }
  }

  function abort(entry: Entry, reason: StopReason): void {
    entry.stopReason ??= reason;
    entry.controller.abort(new AppError(reason === 'cancelled' ? 'CANCELLED' : 'SHUTTING_DOWN'));
  }

  return {
    submit(run) {
      const entry: Entry = { ...run, controller: new AbortController(), stopReason: null };
      if (isStopping) {
        void writeEnd(entry, ended({ ...entry, stopReason: 'interrupted' }, null));
        return;
      }
      waiting.push(entry);
      if (running.size >= deps.maxConcurrent) deps.reporter.progress(run.owner, run.id, queuedProgress);
      pump();
    },
    cancel(run) {
      const index = waiting.findIndex(sameRun(run));
      const queued = index < 0 ? undefined : waiting.splice(index, 1)[0];
      if (queued) {
        queued.stopReason = 'cancelled';
        void writeEnd(queued, ended(queued, null));
        return true;
      }
      const active = [...running.keys()].find(sameRun(run));
      if (active) abort(active, 'cancelled');
      return active !== undefined;
    },
    async ask(job, timeoutMs) {
      const signal = AbortSignal.timeout(timeoutMs);
      try {
        return (await deps.engine.run(job, {
          reporter: { progress() {}, log() {} },
          signal,
        })) as JobResults[(typeof job)['kind']];
      } catch (error) {
        if (!signal.aborted) throw error;
        const params = { what: job.kind.replaceAll('_', ' '), seconds: timeoutMs / 1000 };
        throw new AppError('TIMEOUT', params, { cause: error });
      }
    },
    counts: () => ({ running: running.size, queued: waiting.length }),
    async stop(graceMs) {
      isStopping = true;
      const ends = waiting.splice(0).map((entry) => {
        entry.stopReason = 'interrupted';
        return writeEnd(entry, ended(entry, null));
      });
      for (const entry of running.keys()) abort(entry, 'interrupted');
      await Promise.race([Promise.all([...running.values(), ...ends]), deps.clock.sleep(graceMs)]);
    },
  };
}
