import { expect, it } from 'vitest';
import { isInWindow } from './maintenance-window.ts';

it.each<[window: string, zone: string, at: string, expected: boolean]>([
  ['', 'UTC', '12:00', true],
  ['01:00-05:00', 'UTC', '01:00', true],
  ['01:00-05:00', 'UTC', '04:59', true],
  ['01:00-05:00', 'UTC', '05:00', false],
  ['22:00-06:00', 'UTC', '23:30', true],
  ['22:00-06:00', 'UTC', '00:00', true],
  ['22:00-06:00', 'UTC', '06:00', false],
  ['22:00-06:00', 'UTC', '21:59', false],
  ['03:00-03:00', 'UTC', '12:00', true],
  // 12:00 UTC is 17:45 there.
  ['17:00-18:00', 'Asia/Kathmandu', '12:00', true],
  ['12:00-13:00', 'Asia/Kathmandu', '12:00', false],
])('%s in %s at %s UTC: %s', (window, zone, at, expected) => {
  expect(isInWindow(window, zone, new Date(`2026-01-15T${at}:00Z`))).toBe(expected);
});
