/** The 30-day strip of a task: the worst that happened on each UTC day, oldest first. */
import type { StripDay } from '@backupx/contracts/api/tasks';

export const STRIP_DAYS = 30;
const DAY_MS = 86_400_000;

export interface DayRuns {
  readonly task_id: number;
  /** `2026-01-31`. */
  readonly day: string;
  readonly status: string;
  readonly runs: number;
}

/** First instant of the strip that ends today. */
export function stripStart(now: Date): string {
  const today = Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate());
  return new Date(today - (STRIP_DAYS - 1) * DAY_MS).toISOString();
}

function stateOf(statuses: ReadonlySet<string>): StripDay['state'] {
  if (statuses.has('failed') || statuses.has('interrupted')) return 'failed';
  if (statuses.has('warning')) return 'warning';
  if (statuses.has('success')) return 'success';
  if (statuses.has('running')) return 'running';
  // Only cancelled runs: nothing was backed up that day.
  return statuses.size > 0 ? 'failed' : 'none';
}

export interface StripTask {
  readonly createdAt: string;
  /** Longest time between two slots; null: no schedule. */
  readonly intervalMs: number | null;
}

/** `missed`: a day without any run although the schedule has a slot every day and the task existed all day. */
export function dayStrip(task: StripTask, runs: readonly DayRuns[], now: Date): StripDay[] {
  const start = Date.parse(stripStart(now));
  const isDaily = task.intervalMs !== null && task.intervalMs <= DAY_MS + 2 * 3_600_000;
  return Array.from({ length: STRIP_DAYS }, (_, index) => {
    const dayStart = start + index * DAY_MS;
    const date = new Date(dayStart).toISOString().slice(0, 10);
    const ofDay = runs.filter((run) => run.day === date);
    const state = stateOf(new Set(ofDay.map((run) => run.status)));
    const isWholeDay = dayStart >= Date.parse(task.createdAt) && dayStart + DAY_MS <= now.getTime();
    return {
      date,
      state: state === 'none' && isDaily && isWholeDay ? 'missed' : state,
      runs: ofDay.reduce((sum, run) => sum + Number(run.runs), 0),
    };
  });
}
