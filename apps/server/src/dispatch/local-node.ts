/**
 * The master's own machine as a node: a queue in memory in front of the engine, as many runs at once as the
 * configuration allows. Nothing here is durable on purpose: what runs when the process ends is marked `interrupted`,
 * at the stop or, after a kill, at the next start.
 */
import { AppError } from '@backupx/contracts/errors';
import type { JobProgress, JobResults } from '@backupx/contracts/jobs';
import { waitAtMost } from '@backupx/engine/ports/clock';
import { askEngine } from './ask-engine.ts';
import type { ControlJob } from './ports.ts';
import { endLocally, type LocalRun, type RunLocallyDeps, runLocally, type StopReason } from './run-locally.ts';

export interface LocalNodeDeps extends Omit<RunLocallyDeps, 'givingUp'> {
  /** Runs at the same time. */
  readonly maxConcurrent: number;
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

interface Entry extends LocalRun {
  readonly controller: AbortController;
  stopReason: StopReason;
}

export function createLocalNode(options: LocalNodeDeps): LocalNode {
  const giveUp = new AbortController();
  const deps = { ...options, givingUp: giveUp.signal };
  const waiting: Entry[] = [];
  const running = new Map<Entry, Promise<void>>();
  let isStopping = false;

  const sameRun = (run: LocalRun) => (entry: Entry) => entry.owner === run.owner && entry.id === run.id;

  /** Maintenance and verifications have one place each: hours of reading must not hold up backups, nor they it. */
  function hasPlaceFor(entry: LocalRun): boolean {
    const placeOf = ({ owner }: LocalRun) => (owner === 'maintenance' || owner === 'verify' ? owner : 'runs');
    const isSame = (other: LocalRun) => placeOf(other) === placeOf(entry);
    const limit = placeOf(entry) === 'runs' ? deps.maxConcurrent : 1;
    return [...running.keys()].filter(isSame).length < limit;
  }

  function pump(): void {
    while (!isStopping) {
      const index = waiting.findIndex(hasPlaceFor);
      const entry = index < 0 ? undefined : waiting.splice(index, 1)[0];
      if (!entry) return;
      const stop = { signal: entry.controller.signal, stopReason: () => entry.stopReason };
      const done = runLocally(deps, entry, stop).finally(() => {
        running.delete(entry);
        pump();
      });
      running.set(entry, done);
    }
  }

  function abort(entry: Entry, reason: 'cancelled' | 'interrupted'): void {
    entry.stopReason ??= reason;
    entry.controller.abort(new AppError(reason === 'cancelled' ? 'CANCELLED' : 'SHUTTING_DOWN'));
  }

  return {
    submit(run) {
      const entry: Entry = { ...run, controller: new AbortController(), stopReason: null };
      if (isStopping) {
        void endLocally(deps, entry, { reason: 'interrupted', error: null });
        return;
      }
      waiting.push(entry);
      if (!hasPlaceFor(entry)) deps.reporter.progress(run.owner, run.id, queuedProgress);
      pump();
    },
    cancel(run) {
      const index = waiting.findIndex(sameRun(run));
      const queued = index < 0 ? undefined : waiting.splice(index, 1)[0];
      if (queued) {
        void endLocally(deps, queued, { reason: 'cancelled', error: null });
        return true;
      }
      const active = [...running.keys()].find(sameRun(run));
      if (active) abort(active, 'cancelled');
      return active !== undefined;
    },
    ask: (job, timeoutMs) => askEngine(deps.engine, job, timeoutMs),
    counts: () => ({ running: running.size, queued: waiting.length }),
    async stop(graceMs) {
      isStopping = true;
      const ends = waiting.splice(0).map((entry) => endLocally(deps, entry, { reason: 'interrupted', error: null }));
      for (const entry of running.keys()) abort(entry, 'interrupted');
      await waitAtMost(deps.clock, Promise.all([...running.values(), ...ends]), graceMs);
      giveUp.abort();
    },
  };
}
