/** One run on the master's own machine, from its job to the end of its record. */
import type { Clock } from '@backupx/engine/ports/clock';
import type { Engine } from '@backupx/engine/ports/engine';
import type { Reporter } from '@backupx/engine/ports/reporter';
import { logLine } from './log-line.ts';
import type { JobBuilder, RecordLifecycle, RecordReporter, RunRef } from './ports.ts';
import { cancelledFailure, interruptedFailure, runFailureOf } from './run-failure.ts';

export type LocalRun = RunRef;

/** Why a run was stopped from outside; null: it was not. */
export type StopReason = 'cancelled' | 'interrupted' | null;

export interface RunLocallyDeps {
  readonly engine: Engine;
  readonly builder: JobBuilder;
  readonly lifecycle: RecordLifecycle;
  readonly reporter: RecordReporter;
  readonly clock: Clock;
  /** Told once about an end that cannot be written for long; it is tried on, until `givingUp`: the next start repairs it. */
  readonly onLateEnd: (run: LocalRun, error: unknown) => void;
  /** Aborted when this process ends. */
  readonly givingUp: AbortSignal;
}

const FINISH_ATTEMPTS = 6;
const LATE_RETRY_MS = 30_000;

type WriteEnd = () => Promise<boolean>;

function reporterOf(deps: RunLocallyDeps, run: LocalRun): Reporter {
  return {
    progress: (progress) => deps.reporter.progress(run.owner, run.id, progress),
    log: (level, message) => deps.reporter.appendLog(run.owner, run.id, logLine(deps.clock.now(), level, message)),
  };
}

async function perform(deps: RunLocallyDeps, run: LocalRun, signal: AbortSignal): Promise<WriteEnd> {
  const options = { reporter: reporterOf(deps, run), signal };
  if (run.owner === 'record') {
    const result = await deps.engine.run(await deps.builder.backupJob(run.id), options);
    return () => deps.lifecycle.finishBackup(run.id, { status: result.status, result });
  }
  if (run.owner === 'maintenance') {
    const done: unknown = await deps.engine.run(await deps.builder.maintenanceJob(run.id), options);
    return () => deps.lifecycle.finishMaintenance(run.id, { status: 'success', result: done });
  }
  if (run.owner === 'verify') {
    const done: unknown = await deps.engine.run(await deps.builder.verificationJob(run.id), options);
    return () => deps.lifecycle.finishVerification(run.id, { status: 'success', result: done });
  }
  const result = await deps.engine.run(await deps.builder.restoreJob(run.id), options);
  return () => deps.lifecycle.finishRestore(run.id, { status: result.status, result });
}

function outcomeOf(reason: StopReason, error: unknown) {
  if (reason === 'cancelled') return { status: 'cancelled', failure: cancelledFailure } as const;
  if (reason === 'interrupted') return { status: 'interrupted', failure: interruptedFailure } as const;
  return { status: 'failed', failure: runFailureOf(error) } as const;
}

/**
 * A full disk or a locked database must not leave a finished run "running": the end is tried again. After some tries the
 * place of the run is free for others while it is tried on: a backup that is whole must not be called interrupted.
 */
async function writeEnd(deps: RunLocallyDeps, run: LocalRun, end: WriteEnd): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await end();
      return;
    } catch (error) {
      if (attempt === FINISH_ATTEMPTS) {
        deps.onLateEnd(run, error);
        void tryOn(deps, end);
        return;
      }
      await deps.clock.sleep(200 * 2 ** attempt);
    }
  }
}

async function tryOn({ clock, givingUp }: RunLocallyDeps, end: WriteEnd): Promise<void> {
  let isWritten = false;
  while (!isWritten && !givingUp.aborted) {
    await clock.sleep(LATE_RETRY_MS, givingUp).catch(() => undefined);
    if (givingUp.aborted) return;
    isWritten = await end().then(
      () => true,
      () => false,
    );
  }
}

/** Ends a run without a result. Never throws. */
export async function endLocally(
  deps: RunLocallyDeps,
  run: LocalRun,
  why: { reason: StopReason; error: unknown },
): Promise<void> {
  const outcome = outcomeOf(why.reason, why.error);
  await writeEnd(deps, run, () => deps.lifecycle.finishFailed(run, outcome));
}

/** Never throws. `stopReason` is asked when the run fails after its signal was aborted. */
export async function runLocally(
  deps: RunLocallyDeps,
  run: LocalRun,
  stop: { signal: AbortSignal; stopReason: () => StopReason },
): Promise<void> {
  let end: WriteEnd;
  try {
    stop.signal.throwIfAborted();
    end = await perform(deps, run, stop.signal);
  } catch (error) {
    await endLocally(deps, run, { reason: stop.stopReason(), error });
    return;
  }
  await writeEnd(deps, run, end);
}
