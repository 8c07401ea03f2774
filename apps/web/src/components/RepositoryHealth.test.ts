import { expect, test } from 'vitest';
import { isOverdue } from './RepositoryHealth.tsx';

const now = Date.parse('2026-08-11T12:00:00Z');

test.each([
  [null, false],
  ['2026-08-12T00:00:00Z', false],
  ['2026-08-11T02:00:00Z', false],
  ['2026-08-10T11:00:00Z', true],
])('a check due at %s is overdue: %s', (nextAt, late) => {
  expect(isOverdue(nextAt, now)).toBe(late);
});
