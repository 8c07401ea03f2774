import { expect, test } from 'vitest';
import { formatBytes, formatDuration, formatRelative, formatTable } from './format.ts';
import { describeProgress } from './progress-line.ts';

test('sizes, durations, times', () => {
  expect([0, 1023, 1536, 1024 ** 3 * 150].map(formatBytes)).toEqual(['0 B', '1023 B', '1.5 KiB', '150 GiB']);
  expect([9, 750, 11_100].map(formatDuration)).toEqual(['0:09', '12:30', '3:05:00']);
  const now = new Date('2026-01-01T12:00:00Z');
  expect(formatRelative('2026-01-01T11:55:00Z', now)).toBe('5 min ago');
  expect(formatRelative('2026-01-02T02:00:00Z', now)).toBe('in 14 h');
  expect(formatRelative(null, now)).toBe('-');
  expect(
    formatTable([
      ['A', 'B'],
      ['long', 'x'],
    ]),
  ).toBe('A     B\nlong  x\n');
});

test('the progress line names files, bytes, speed, what is left, and warnings', () => {
  const progress = {
    phase: 'running' as const,
    itemsDone: 1234,
    itemsTotal: 5000,
    bytesDone: 1024 ** 3,
    bytesTotal: 2 * 1024 ** 3,
    bytesStored: 1,
    bytesPerSecond: 84 * 1024 ** 2,
    etaSeconds: 9,
    percent: 50.9,
    currentItem: null,
    problemCount: 3,
  };
  expect(describeProgress('www', progress)).toBe(
    'www  50%  1,234 files  1.0 GiB/2.0 GiB  84.0 MiB/s  ETA 0:09  3 warnings',
  );
});
