import { AppError } from '@backupx/contracts/errors';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { assertSchedule, intervalMs, nextRunAfter, previewRuns } from './schedule-clock.ts';

const zones = [
  'UTC',
  'Europe/Berlin',
  'America/St_Johns',
  'Asia/Kathmandu',
  'Australia/Lord_Howe',
  'America/Sao_Paulo',
];
const DAY_MS = 86_400_000;
const start = new Date('2026-01-01T00:00:00Z');

function localParts(at: Date, timeZone: string): { day: string; minutes: number } {
  const parts = new Intl.DateTimeFormat('en-CA', {
    timeZone,
    hourCycle: 'h23',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
  }).formatToParts(at);
  const part = (type: string) => parts.find((candidate) => candidate.type === type)?.value ?? '';
  const day = `${part('year')}-${part('month')}-${part('day')}`;
  return { day, minutes: Number(part('hour')) * 60 + Number(part('minute')) };
}

function fieldsOf(action: () => unknown) {
  try {
    action();
  } catch (error) {
    if (error instanceof AppError && error.code === 'INVALID_INPUT') return error.fields;
    throw error;
  }
  return [];
}

describe('a daily time, whatever daylight saving does', () => {
  const dailyTimes = fc.record({
    timezone: fc.constantFrom(...zones),
    hour: fc.integer({ min: 0, max: 23 }),
    minute: fc.integer({ min: 0, max: 59 }),
  });

  it('runs exactly once on each local day of a year, at its time or right after a gap', () => {
    fc.assert(
      fc.property(dailyTimes, ({ timezone, hour, minute }) => {
        const cronExpr = `${minute} ${hour} * * *`;
        const runs = previewRuns({ cronExpr, timezone }, start, 370);
        const locals = runs.map((run) => localParts(run, timezone));
        expect(new Set(locals.map((local) => local.day)).size).toBe(370);
        for (const [index, local] of locals.entries()) {
          const late = local.minutes - (hour * 60 + minute);
          expect(late).toBeGreaterThanOrEqual(0);
          expect(late).toBeLessThanOrEqual(60);
          const before = runs[index - 1];
          if (before) expect((runs[index]?.getTime() ?? 0) - before.getTime()).toBeLessThanOrEqual(DAY_MS + 3_600_000);
        }
      }),
      { numRuns: 25 },
    );
  });

  it('never answers a slot that is not after the given time, and slots ascend', () => {
    const anyTime = fc.date({ min: start, max: new Date('2028-01-01T00:00:00Z'), noInvalidDate: true });
    const expressions = fc.constantFrom(
      '30 2 * * *',
      '0 2,14 * * *',
      '*/15 * * * *',
      '0 3 * * 1',
      '0 0 1 * *',
      '@hourly',
    );
    fc.assert(
      fc.property(anyTime, expressions, fc.constantFrom(...zones), (after, cronExpr, timezone) => {
        const first = nextRunAfter({ cronExpr, timezone }, after);
        const second = first && nextRunAfter({ cronExpr, timezone }, first);
        expect(first?.getTime()).toBeGreaterThan(after.getTime());
        expect(second?.getTime()).toBeGreaterThan(first?.getTime() ?? 0);
      }),
      { numRuns: 150 },
    );
  });
});

describe('known changes of the clock', () => {
  const next = (cronExpr: string, timezone: string, after: string) =>
    nextRunAfter({ cronExpr, timezone }, new Date(after))?.toISOString();

  it.each([
    [
      'skipped in Berlin: once, after the gap',
      '30 2 * * *',
      'Europe/Berlin',
      '2026-03-28T12:00:00Z',
      '2026-03-29T01:00:00.000Z',
    ],
    [
      'repeated in Berlin: the first of the two',
      '30 2 * * *',
      'Europe/Berlin',
      '2026-10-24T12:00:00Z',
      '2026-10-25T00:30:00.000Z',
    ],
    [
      'repeated in Berlin: not the second',
      '30 2 * * *',
      'Europe/Berlin',
      '2026-10-25T00:30:00Z',
      '2026-10-26T01:30:00.000Z',
    ],
    [
      'half an hour skipped on Lord Howe',
      '15 2 * * *',
      'Australia/Lord_Howe',
      '2026-10-03T12:00:00Z',
      '2026-10-03T15:30:00.000Z',
    ],
    [
      'three quarters off in Kathmandu',
      '0 0 * * *',
      'Asia/Kathmandu',
      '2026-01-01T00:00:00Z',
      '2026-01-01T18:15:00.000Z',
    ],
    [
      'an interval follows elapsed time',
      '0 * * * *',
      'Europe/Berlin',
      '2026-10-25T00:00:00Z',
      '2026-10-25T01:00:00.000Z',
    ],
  ])('%s', (_name, cronExpr, timezone, after, expected) => {
    expect(next(cronExpr, timezone, after)).toBe(expected);
  });
});

describe('nonsense', () => {
  it.each(['61 * * * *', 'every day', '* * *', '* * * * * * * *', '0 25 * * *', '@reboot', '0 0 30 2 *'])(
    'is refused with the reason: %s',
    (cronExpr) => {
      const fields = fieldsOf(() => assertSchedule({ cronExpr, timezone: 'UTC' }, start));
      expect(fields).toMatchObject([{ path: 'cronExpr' }]);
      expect(fields[0]?.message.length).toBeGreaterThan(5);
    },
  );

  it('in the zone is told as such', () => {
    const fields = fieldsOf(() => assertSchedule({ cronExpr: '@daily', timezone: 'Mars/Olympus' }, start));
    expect(fields).toMatchObject([{ path: 'timezone', code: 'unknown_timezone' }]);
  });

  it('an empty expression is no schedule', () => {
    expect(fieldsOf(() => assertSchedule({ cronExpr: '', timezone: 'UTC' }, start))).toEqual([]);
    expect(nextRunAfter({ cronExpr: '', timezone: 'UTC' }, start)).toBeNull();
    expect(intervalMs({ cronExpr: '', timezone: 'UTC' }, start)).toBeNull();
  });
});

it('the interval of a schedule counts its longest pause', () => {
  expect(intervalMs({ cronExpr: '0 3 * * *', timezone: 'UTC' }, start)).toBe(DAY_MS);
  expect(intervalMs({ cronExpr: '0 3 * * 1-5', timezone: 'UTC' }, start)).toBe(3 * DAY_MS);
});
