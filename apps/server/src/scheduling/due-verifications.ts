/**
 * Starts verifications whose time has come: of the newest good record of each task that wants it, not while a backup of
 * the task runs. It decides from the tables alone; a kill at any point costs at most one repeated verification.
 */
import { AppError } from '@backupx/contracts/errors';
import { verifyModeSchema } from '@backupx/contracts/jobs';
import type { Clock } from '@backupx/engine/ports/clock';
import type { DispatchLog } from '../dispatch/dispatch-log.ts';
import type { Dispatcher } from '../dispatch/dispatcher.ts';
import type { Db } from '../dispatch/ports.ts';
import { recordsStore } from '../stores/records.store.ts';
import { type TaskRow, tasksStore } from '../stores/tasks.store.ts';
import { repeatTick } from './repeat-tick.ts';
import { nextRunAfter } from './schedule-clock.ts';

export interface DueVerificationsDeps {
  readonly db: Db;
  readonly clock: Clock;
  readonly dispatcher: Pick<Dispatcher, 'startVerification'>;
  /** Zone of tasks that name none. */
  readonly defaultTimezone: () => Promise<string>;
  readonly log: DispatchLog;
}

export interface DueVerifications {
  /** Starts everything that is due now; answers how many began. */
  tick(): Promise<number>;
  /** Ticks every few seconds until `stop`. */
  start(): void;
  stop(): Promise<void>;
}

const TICK_MS = 15_000;

export function createDueVerifications(deps: DueVerificationsDeps): DueVerifications {
  const { db, clock, dispatcher, log } = deps;
  const repeated = repeatTick(deps, { everyMs: TICK_MS, what: 'due verifications', tick });

  async function moveOn(task: TaskRow): Promise<void> {
    const timezone = task.timezone || (await deps.defaultTimezone());
    const next = nextRunAfter({ cronExpr: task.verify_cron_expr, timezone }, clock.now());
    await tasksStore.update(db, task.id, { next_verify_at: next?.toISOString() ?? null });
  }

  async function startOne(task: TaskRow): Promise<boolean> {
    const runs = await recordsStore.lastRuns(db, [task.id]);
    // The backup that runs will be the newest one in a moment.
    if (runs.last.get(task.id)?.status === 'running') return false;
    const record = runs.good.get(task.id);
    try {
      if (record) {
        const mode = verifyModeSchema.parse(task.verify_mode);
        await dispatcher.startVerification({ recordId: record.id, mode, trigger: 'schedule', requestedBy: '' });
      }
    } catch (error) {
      // It stays due until its server is back.
      if (error instanceof AppError && error.code === 'NODE_OFFLINE') return false;
      log.error({ err: error }, `the verification of task ${task.id} (${task.name}) could not be started`);
      await moveOn(task);
      return false;
    }
    await moveOn(task);
    return record !== undefined;
  }

  async function tick(): Promise<number> {
    let started = 0;
    for (const task of await tasksStore.dueVerifications(db, clock.now().toISOString())) {
      if (repeated.signal.aborted) return started;
      if (await startOne(task)) started += 1;
    }
    return started;
  }

  return { tick, start: repeated.start, stop: repeated.stop };
}
