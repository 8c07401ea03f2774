/**
 * Which records of a task have had their time: pure, so that properties can be tested.
 *
 * Days and count are the plain rules: a good record stays while it is younger than `retentionDays` and among the newest
 * `maxBackups`. The keep rules add to that: the newest good record of each of the last n days, ISO weeks, months, years
 * that have one stays as well, and where that one is incomplete, the newest complete one of the period too. With keep
 * rules alone the last 24 hours stay whole: a second run by hand must not take away the first. All 0: everything stays.
 * Locked records, the newest good, the newest complete and the newest record of any kind always stay. Records without an artifact take no place among the counted; they go by age alone.
 */
import type { RetentionPolicy } from '@backupx/contracts/retention';

export interface RetainedRecord {
  readonly id: number;
  /** RFC 3339 UTC. */
  readonly startedAt: string;
  /** Has an artifact that can be restored. */
  readonly isGood: boolean;
  /** Good, and nothing is missing from it. */
  readonly isComplete: boolean;
  readonly isLocked: boolean;
}

const DAY_MS = 86_400_000;

/** `2026-W05`: ISO 8601 week, which belongs to the year of its Thursday. */
function isoWeek(date: Date): string {
  const thursday = new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate()));
  thursday.setUTCDate(thursday.getUTCDate() + 4 - (thursday.getUTCDay() || 7));
  const yearStart = Date.UTC(thursday.getUTCFullYear(), 0, 1);
  const week = Math.ceil(((thursday.getTime() - yearStart) / DAY_MS + 1) / 7);
  return `${thursday.getUTCFullYear()}-W${String(week).padStart(2, '0')}`;
}

const periods: readonly [
  rule: 'keepDaily' | 'keepWeekly' | 'keepMonthly' | 'keepYearly',
  of: (at: string) => string,
][] = [
  ['keepDaily', (at) => at.slice(0, 10)],
  ['keepWeekly', (at) => isoWeek(new Date(at))],
  ['keepMonthly', (at) => at.slice(0, 7)],
  ['keepYearly', (at) => at.slice(0, 4)],
];

/** The newest of each of the first `count` periods, and its newest complete one; `good` is newest first. */
function newestPerPeriod(good: readonly RetainedRecord[], count: number, periodOf: (at: string) => string): number[] {
  const kept: number[] = [];
  const newest = new Map<string, RetainedRecord>();
  for (const record of good) {
    const period = periodOf(record.startedAt);
    const known = newest.get(period);
    if (!known && newest.size === count) break;
    if (known && (known.isComplete || !record.isComplete)) continue;
    newest.set(period, record);
    kept.push(record.id);
  }
  return kept;
}

function plainlyKept(good: readonly RetainedRecord[], policy: RetentionPolicy, now: Date): readonly RetainedRecord[] {
  if (policy.retentionDays === 0 && policy.maxBackups === 0) {
    return good.filter((record) => Date.parse(record.startedAt) > now.getTime() - DAY_MS);
  }
  const oldest = policy.retentionDays === 0 ? Number.NEGATIVE_INFINITY : now.getTime() - policy.retentionDays * DAY_MS;
  const young = good.filter((record) => Date.parse(record.startedAt) >= oldest);
  return policy.maxBackups === 0 ? young : young.slice(0, policy.maxBackups);
}

/** Ids of the records to remove, oldest first. */
export function expiredRecords(records: readonly RetainedRecord[], policy: RetentionPolicy, now: Date): number[] {
  const newestFirst = records.toSorted((a, b) => b.startedAt.localeCompare(a.startedAt) || b.id - a.id);
  const hasRule = policy.retentionDays + policy.maxBackups + periods.reduce((sum, [rule]) => sum + policy[rule], 0) > 0;
  if (!hasRule) return [];

  const good = newestFirst.filter((record) => record.isGood);
  const kept = new Set<number>(plainlyKept(good, policy, now).map((record) => record.id));
  for (const [rule, periodOf] of periods) for (const id of newestPerPeriod(good, policy[rule], periodOf)) kept.add(id);
  for (const record of newestFirst) if (record.isLocked) kept.add(record.id);
  for (const record of [good[0], good.find((one) => one.isComplete), newestFirst[0]]) if (record) kept.add(record.id);

  const oldest = now.getTime() - policy.retentionDays * DAY_MS;
  for (const record of newestFirst) {
    const isYoung = policy.retentionDays === 0 || Date.parse(record.startedAt) >= oldest;
    if (!record.isGood && isYoung) kept.add(record.id);
  }
  return newestFirst
    .filter((record) => !kept.has(record.id))
    .map((record) => record.id)
    .toReversed();
}
