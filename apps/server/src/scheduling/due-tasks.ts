/**
 * Starts tasks whose slot has come. The queue is the column `next_run_at`: a slot is claimed by moving it on in the
 * transaction that creates the record, so a crash between two lines neither loses nor doubles a run.
 *
 * Slots that passed while the master was down are made up for by one run per task (`catch_up`). A task that is still
 * running at its slot is skipped with a line in the log.
 */
import { AppError } from '@backupx/contracts/errors';
import type { Clock } from '@backupx/engine/ports/clock';
import type { DispatchLog } from '../dispatch/dispatch-log.ts';
import type { Dispatcher } from '../dispatch/dispatcher.ts';
import type { Db } from '../dispatch/ports.ts';
import { type TaskRow, tasksStore } from '../stores/tasks.store.ts';
import { nextRunAfter } from './schedule-clock.ts';

export interface DueTasksDeps {
  readonly db: Db;
  readonly clock: Clock;
  readonly dispatcher: Pick<Dispatcher, 'startTask' | 'recordFailedStart'>;
  /** Zone of tasks that name none. */
  readonly defaultTimezone: () => Promise<string>;
  readonly log: DispatchLog;
}

export interface DueTasks {
  /** Starts everything that is due now; answers how many runs began. */
  tick(): Promise<number>;
  /** Ticks every second until `stop`. */
  start(): void;
  stop(): Promise<void>;
}

/** A slot later than this was missed, not merely late. */
const LATE_MS = 2 * 60_000;
const TICK_MS = 1000;
const BATCH = 100;

function isCode(error: unknown, code: string): boolean {
  return error instanceof AppError && error.code === code;
}

/** Null: no schedule, or one that can no longer be read. */
async function nextSlot(deps: DueTasksDeps, task: TaskRow, after: Date): Promise<string | null> {
  const timezone = task.timezone || (await deps.defaultTimezone());
  try {
    return nextRunAfter({ cronExpr: task.cron_expr, timezone }, after)?.toISOString() ?? null;
  } catch (error) {
    // Validated when it was saved; a zone can still vanish with an update of the runtime.
    deps.log.error({ err: error }, `task ${task.id} (${task.name}) has a schedule that cannot be read; it is paused`);
    return null;
  }
}

/** Recomputes the next slot of tasks that follow the installation's zone. A slot that is due already stays due. */
async function rescheduleDefaultZone(deps: DueTasksDeps): Promise<void> {
  const now = deps.clock.now();
  for (const task of await tasksStore.allLiving(deps.db)) {
    if (task.timezone !== '' || task.cron_expr === '' || task.enabled !== 1) continue;
    if (task.next_run_at !== null && task.next_run_at <= now.toISOString()) continue;
    const next = await nextSlot(deps, task, now);
    if (next !== task.next_run_at) await tasksStore.update(deps.db, task.id, { next_run_at: next });
  }
}

export function createDueTasks(deps: DueTasksDeps): DueTasks {
  const { db, clock, dispatcher, log } = deps;
  const stopping = new AbortController();
  let loop: Promise<void> | undefined;
  let lastZone: string | undefined;

  async function startOne(task: TaskRow, slotAt: string, now: Date): Promise<boolean> {
    const slot = { slotAt, nextRunAt: await nextSlot(deps, task, now) };
    const trigger = now.getTime() - Date.parse(slotAt) > LATE_MS ? 'catch_up' : 'schedule';
    try {
      return (await dispatcher.startTask(task.id, { trigger, slot })) !== null;
    } catch (error) {
      if (isCode(error, 'BACKUP_TASK_RUNNING')) {
        await tasksStore.claimSlot(db, { taskId: task.id, ...slot });
        log.warn({}, `task ${task.id} (${task.name}) is still running at its slot ${slotAt}; this slot is skipped`);
        return false;
      }
      if (isCode(error, 'BACKUP_TASK_NOT_FOUND') || isCode(error, 'BACKUP_TASK_DISABLED')) return false;
      log.error({ err: error }, `task ${task.id} (${task.name}) could not be started`);
      await dispatcher.recordFailedStart(task.id, { trigger, slot, error });
      return false;
    }
  }

  /** Starts a batch; answers null when one of it must stay due, so that the tick ends instead of spinning. */
  async function startBatch(due: readonly TaskRow[], now: Date): Promise<number | null> {
    let started = 0;
    let hasFailed = false;
    for (const task of due) {
      if (stopping.signal.aborted) return null;
      try {
        if (await startOne(task, task.next_run_at ?? '', now)) started += 1;
      } catch (error) {
        hasFailed = true;
        log.error({ err: error }, `task ${task.id} (${task.name}) could not be scheduled`);
      }
    }
    return hasFailed ? null : started;
  }

  /** Tasks without a zone of their own follow the installation's; checked at the first tick and when it changes. */
  async function followDefaultZone(): Promise<void> {
    const zone = await deps.defaultTimezone();
    if (zone === lastZone) return;
    await rescheduleDefaultZone(deps);
    lastZone = zone;
  }

  async function tick(): Promise<number> {
    await followDefaultZone();
    let total = 0;
    for (;;) {
      const now = clock.now();
      const due = await tasksStore.due(db, now.toISOString(), BATCH);
      const started = await startBatch(due, now);
      total += started ?? 0;
      if (due.length < BATCH || started === null) return total;
    }
  }

  async function runLoop(): Promise<void> {
    while (!stopping.signal.aborted) {
      try {
        await tick();
        await clock.sleep(TICK_MS, stopping.signal);
      } catch (error) {
        if (stopping.signal.aborted) return;
        log.error({ err: error }, 'looking for due tasks failed');
        await clock.sleep(TICK_MS * 10, stopping.signal).catch(() => undefined);
      }
    }
  }

  return {
    tick,
    start() {
      loop ??= runLoop();
    },
    async stop() {
      stopping.abort();
      await loop;
    },
  };
}
