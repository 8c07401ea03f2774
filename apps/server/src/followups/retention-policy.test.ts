import { type RetentionPolicy, retentionPolicySchema } from '@backupx/contracts/retention';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { expiredRecords, type RetainedRecord } from './retention-policy.ts';

const now = new Date('2026-06-15T12:00:00Z');
const DAY_MS = 86_400_000;
const none = retentionPolicySchema.parse({ retentionDays: 0 });

/** One good record a day, `count` days back; id = age in days + 1. */
function daily(count: number): RetainedRecord[] {
  return Array.from({ length: count }, (_, age) => ({
    id: age + 1,
    startedAt: new Date(now.getTime() - age * DAY_MS).toISOString(),
    isGood: true,
    isComplete: true,
    isLocked: false,
  }));
}

function kept(records: readonly RetainedRecord[], policy: Partial<RetentionPolicy>): number[] {
  const gone = new Set(expiredRecords(records, { ...none, ...policy }, now));
  return records.map((record) => record.id).filter((id) => !gone.has(id));
}

describe('retention', () => {
  it('keeps everything without rules', () => {
    expect(kept(daily(500), {})).toHaveLength(500);
  });

  it('by days', () => {
    expect(kept(daily(40), { retentionDays: 7 })).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  it('by count, also among young ones', () => {
    expect(kept(daily(40), { maxBackups: 3 })).toEqual([1, 2, 3]);
    expect(kept(daily(40), { maxBackups: 3, retentionDays: 30 })).toEqual([1, 2, 3]);
    expect(kept(daily(40), { maxBackups: 30, retentionDays: 2 })).toEqual([1, 2, 3]);
  });

  it('by days, weeks, months and years, the newest of each', () => {
    expect(kept(daily(400), { keepDaily: 3 })).toEqual([1, 2, 3]);
    // 2026-06-15 is a Monday: its week has one record so far, the weeks before end on Sundays.
    expect(kept(daily(400), { keepWeekly: 3 })).toEqual([1, 2, 9]);
    expect(kept(daily(400), { keepMonthly: 3 })).toEqual([1, 16, 47]);
    expect(kept(daily(400), { keepYearly: 2 })).toEqual([1, 167]);
    expect(kept(daily(400), { keepDaily: 2, keepMonthly: 2, retentionDays: 3 })).toEqual([1, 2, 3, 4, 16]);
  });

  it('two runs on one day count as one day', () => {
    const twice = daily(5).flatMap((record) => [
      { ...record, id: record.id * 10 + 1 },
      { ...record, id: record.id * 10, startedAt: record.startedAt.replace('T12', 'T02') },
    ]);
    expect(kept(twice, { keepDaily: 2, maxBackups: 1 })).toEqual([11, 21]);
  });

  it('keep rules alone leave the last 24 hours whole', () => {
    const minutes = [0, 1, 30, 23 * 60, 25 * 60, 26 * 60];
    const runs = minutes.map((age, index) => ({
      ...(daily(1)[0] as RetainedRecord),
      id: index + 1,
      startedAt: new Date(now.getTime() - age * 60_000).toISOString(),
    }));
    expect(kept(runs, { keepDaily: 7 })).toEqual([1, 2, 3, 4]);
  });

  it('never lets an incomplete run take the place of a complete one', () => {
    const records = daily(9).map((record) => ({ ...record, isComplete: record.id === 4 || record.id === 9 }));
    expect(kept(records, { maxBackups: 2 })).toEqual([1, 2, 4]);
    // The week from 8 to 14 June holds ids 2 to 8: the newest of it is incomplete, id 4 is not.
    expect(kept(records, { keepWeekly: 2, maxBackups: 1 })).toEqual([1, 2, 4]);
  });

  it('never takes locked ones or the newest good one, however old', () => {
    const old = daily(20).map((record) => ({ ...record, startedAt: record.startedAt.replace('2026', '2020') }));
    const records = old.map((record) => ({ ...record, isLocked: record.id === 9 }));
    expect(kept(records, { retentionDays: 1 })).toEqual([1, 9]);
  });

  it('failed runs take no place and do not count as the newest good one', () => {
    const records = daily(6).map((record) => ({ ...record, isGood: record.id > 2 }));
    expect(kept(records, { maxBackups: 2 })).toEqual([1, 2, 3, 4]);
    expect(kept(records, { retentionDays: 1 })).toEqual([1, 2, 3]);
  });

  it('holds these promises for any history and policy', () => {
    const history = fc.array(
      fc.record({
        age: fc.integer({ min: 0, max: 900 }),
        kind: fc.constantFrom('complete', 'incomplete', 'failed'),
        isLocked: fc.boolean(),
      }),
      { maxLength: 60 },
    );
    const policies = fc.record({
      retentionDays: fc.nat(60),
      maxBackups: fc.nat(10),
      keepDaily: fc.nat(5),
      keepWeekly: fc.nat(5),
      keepMonthly: fc.nat(5),
      keepYearly: fc.nat(3),
    });
    fc.assert(
      fc.property(history, policies, (items, policy) => {
        const records = items.map(({ age, kind, isLocked }, index) => ({
          isLocked,
          isGood: kind !== 'failed',
          isComplete: kind === 'complete',
          id: index + 1,
          startedAt: new Date(now.getTime() - age * DAY_MS).toISOString(),
        }));
        const gone = new Set(expiredRecords(records, policy, now));
        const rest = records.filter((record) => !gone.has(record.id));
        expect(records.filter((record) => record.isLocked && gone.has(record.id))).toEqual([]);
        if (records.some((record) => record.isGood)) expect(rest.some((record) => record.isGood)).toBe(true);
        if (records.some((record) => record.isComplete)) expect(rest.some((record) => record.isComplete)).toBe(true);
        // Applying it again finds nothing more.
        expect(expiredRecords(rest, policy, now)).toEqual([]);
      }),
    );
  });
});
