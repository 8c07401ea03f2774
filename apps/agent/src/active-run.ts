/** One accepted command from its place in the queue to its journaled end. */
import type { Clock } from '@backupx/engine/ports/clock';
import type { FinishedEntry, Journal, JournalEntry } from './journal.ts';
import type { Lane } from './lane.ts';
import type { AgentLogger } from './logger.ts';
import { failureOutcome, type RunOutcome, type StopReason } from './run-outcome.ts';

export interface ActiveRun {
  readonly controller: AbortController;
  /** Aborted when nobody waits for the engine any longer. */
  readonly abandoned: AbortController;
  stopReason: StopReason | null;
  /** Undefined once the result is journaled. */
  running: Promise<void> | undefined;
  delivered: Promise<void>;
}

export function createActiveRun(): ActiveRun {
  return {
    controller: new AbortController(),
    abandoned: new AbortController(),
    stopReason: null,
    running: undefined,
    delivered: Promise.resolve(),
  };
}

export interface RunContext {
  readonly journal: Journal;
  readonly logger: AgentLogger;
  readonly clock: Clock;
  readonly lane: Lane;
}

/** Waits for a place in the lane, runs, journals the end. Never rejects. */
export async function runToEnd(
  context: RunContext,
  { entry, run }: { entry: JournalEntry; run: ActiveRun },
  work: () => Promise<RunOutcome>,
): Promise<FinishedEntry> {
  const { journal, logger, clock, lane } = context;
  const startedMs = clock.monotonicMs();
  let isStarted = false;
  let outcome: RunOutcome;
  try {
    const running = lane.run(async () => {
      run.controller.signal.throwIfAborted();
      isStarted = true;
      journal.write({ ...entry, state: 'running' });
      logger.info({ commandId: entry.commandId, owner: entry.owner }, `${entry.type} started`);
      return work();
    });
    outcome = await unlessGivenUp(running, run, () => isStarted);
  } catch (error) {
    if (!run.stopReason) logger.error({ err: error, commandId: entry.commandId }, `${entry.type} failed`);
    outcome = failureOutcome(error, run.stopReason);
  }
  const seconds = Math.round((clock.monotonicMs() - startedMs) / 1000);
  const ended = outcome.update.outcome ?? outcome.update.status;
  logger.info({ commandId: entry.commandId, outcome: ended, seconds }, `${entry.type} ended: ${ended}`);
  const finished: FinishedEntry = { ...entry, ...outcome, state: 'finished' };
  journalIfPossible(context, finished);
  return finished;
}

/** Without room on the disk the result still goes out now; only a restart in between would lose it. */
export function journalIfPossible(context: Pick<RunContext, 'journal' | 'logger'>, entry: JournalEntry): void {
  try {
    context.journal.write(entry);
  } catch (error) {
    context.logger.error({ err: error, commandId: entry.commandId }, 'the result could not be journaled');
  }
}

/** Settles like `work`, or rejects when it is cancelled before it started, or abandoned later. */
function unlessGivenUp<T>(work: Promise<T>, run: ActiveRun, isStarted: () => boolean): Promise<T> {
  const stop = run.controller.signal;
  const abandoned = run.abandoned.signal;
  return new Promise<T>((resolve, reject) => {
    work.then(resolve, reject);
    abandoned.addEventListener('abort', () => reject(abandoned.reason), { once: true });
    stop.addEventListener('abort', () => isStarted() || reject(stop.reason), { once: true });
  });
}
