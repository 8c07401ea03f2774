/**
 * When a cron expression comes due, in an IANA zone.
 *
 * Daylight saving: a time that does not exist on a day runs at the first moment after the gap, a time that exists twice
 * runs once (its first occurrence). That holds for expressions with fixed times (`30 2 * * *`, `0 2,14 * * *`);
 * intervals (`0 * * * *`) follow elapsed time, as in other cron programs.
 */
import { AppError } from '@backupx/contracts/errors';
import { Cron } from 'croner';

export interface Schedule {
  /** Five or six fields (seconds first), or `@daily` and its like; empty: none. */
  readonly cronExpr: string;
  /** IANA name. */
  readonly timezone: string;
}

function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.replace(/^CronPattern: /, '').replace(/^CronDate: /, '');
}

/** Throws INVALID_INPUT with the field `timezone`. */
export function assertTimezone(timezone: string): void {
  try {
    new Intl.DateTimeFormat('en', { timeZone: timezone });
  } catch (error) {
    const fields = [{ path: 'timezone', code: 'unknown_timezone', message: `${timezone} is not an IANA time zone` }];
    throw new AppError('INVALID_INPUT', {}, { fields, cause: error });
  }
}

/** Throws INVALID_INPUT with the field `cronExpr` or `timezone` and the reason. */
function parse({ cronExpr, timezone }: Schedule): Cron {
  assertTimezone(timezone);
  try {
    return new Cron(cronExpr, { timezone, paused: true, mode: '5-or-6-parts', fixedTimeRule: 'no-wildcard' });
  } catch (error) {
    const fields = [{ path: 'cronExpr', code: 'invalid_cron', message: reasonOf(error) }];
    throw new AppError('INVALID_INPUT', {}, { fields, cause: error });
  }
}

/** The first slot after `after`; null when the schedule is empty or never comes due. Throws INVALID_INPUT. */
export function nextRunAfter(schedule: Schedule, after: Date): Date | null {
  if (schedule.cronExpr === '') return null;
  return parse(schedule).nextRun(after);
}

/** The next `count` slots. Throws INVALID_INPUT, also for a date that never comes such as 30 February. */
export function previewRuns(schedule: Schedule, after: Date, count: number): Date[] {
  const runs = parse(schedule).nextRuns(count, after);
  if (runs.length > 0) return runs;
  const fields = [{ path: 'cronExpr', code: 'never_due', message: 'this date never comes' }];
  throw new AppError('INVALID_INPUT', {}, { fields });
}

/** Refuses a schedule that cannot be run; an empty one is fine. Throws INVALID_INPUT. */
export function assertSchedule(schedule: Schedule, now: Date): void {
  if (schedule.cronExpr === '') assertTimezone(schedule.timezone);
  else previewRuns(schedule, now, 1);
}

/** Typical time between two slots in milliseconds: the longest of the next few, so weekends count. Null: not scheduled. */
export function intervalMs(schedule: Schedule, after: Date): number | null {
  if (schedule.cronExpr === '') return null;
  const runs = parse(schedule).nextRuns(8, after);
  const gaps = runs.slice(1).map((run, index) => run.getTime() - (runs[index]?.getTime() ?? 0));
  return gaps.length === 0 ? null : Math.max(...gaps);
}
