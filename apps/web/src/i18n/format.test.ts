import { beforeAll, describe, expect, test } from 'vitest';
import { cronWords } from './cron-words.ts';
import { en } from './en.ts';
import {
  formatBytes,
  formatClock,
  formatDay,
  formatDuration,
  formatPercent,
  formatRelative,
  zonesDiffer,
} from './format.ts';
import { installLocale } from './i18n.ts';
import { zhCN } from './zh-cn.ts';

beforeAll(() => installLocale('en', en));

test.each([
  [0, '0 B'],
  [1023, '1,023 B'],
  [1536, '1.5 KiB'],
  [5 * 1024 ** 3, '5 GiB'],
  [123.4 * 1024 ** 2, '123 MiB'],
])('%d bytes are %s', (bytes, words) => expect(formatBytes(bytes)).toBe(words));

test.each([
  [0, '0 s'],
  [59.6, '1 min'],
  [3725, '1 h 2 min'],
  [86_400 * 2 + 60, '2 d'],
])('%d seconds are %s', (seconds, words) => expect(formatDuration(seconds)).toBe(words));

test('percent never claims more than is done', () => {
  expect(formatPercent(99.9)).toBe('99%');
});

test('relative times in both directions', () => {
  const now = Date.parse('2026-08-11T12:00:00Z');
  expect(formatRelative('2026-08-11T11:59:58Z', now)).toBe('just now');
  expect(formatRelative('2026-08-11T09:00:00Z', now)).toBe('3 hours ago');
  expect(formatRelative('2026-08-13T12:00:00Z', now)).toBe('in 2 days');
  expect(formatRelative('2026-08-11T11:59:31Z', now)).toBe('29 seconds ago');
  expect(formatRelative('2025-08-11T12:00:00Z', now)).toBe('last year');
});

test('a day is that calendar day in every zone', () => {
  expect(formatDay('2026-08-09')).toBe('9 Aug');
});

test('a log line shows the clock of its reader, with seconds', () => {
  const at = new Date('2026-08-11T22:05:09.123Z');
  const two = (value: number) => String(value).padStart(2, '0');
  expect(formatClock(at.toISOString())).toBe(`${two(at.getHours())}:05:09`);
});

test('zones differ only when their clocks do', () => {
  expect(zonesDiffer('2026-08-11T12:00:00Z', 'Europe/Berlin', 'Europe/Paris')).toBe(false);
  expect(zonesDiffer('2026-08-11T12:00:00Z', 'Europe/Berlin', 'Asia/Shanghai')).toBe(true);
});

describe('cron in words', () => {
  test.each([
    ['', 'only by hand'],
    ['0 2 * * *', 'every day at 02:00'],
    ['@daily', 'every day at 00:00'],
    ['0 0 2 * * *', 'every day at 02:00'],
    ['*/15 * * * *', 'every 15 minutes'],
    ['5 * * * *', 'every hour at minute 05'],
    ['0 */6 * * *', 'every 6 hours at minute 00'],
    ['30 1 * * 1-5', 'Monday to Friday at 01:30'],
    ['30 1 * * mon,fri', 'every Monday and Friday at 01:30'],
    ['0 3 * * 7', 'every Sunday at 03:00'],
    ['0 4 1 * *', 'on day 1 of every month at 04:00'],
  ])('%s', (expression, words) => expect(cronWords(expression)).toBe(words));

  test.each(['0 2 1 1 *', '0 2 1 * 1', 'nonsense', '0 2 * *', '1,2 2 * * *', '0 2 * * 8'])(
    '%s has no words of its own',
    (expression) => expect(cronWords(expression)).toBeNull(),
  );

  test('in Chinese', () => {
    installLocale('zh-CN', zhCN);
    expect(cronWords('0 2 * * *')).toBe('每天 02:00');
    expect(cronWords('0 3 * * 0')).toBe('每星期日 03:00');
    installLocale('en', en);
  });
});
