import { expect, test } from 'vitest';
import type { FoundItem } from '../../api/types.ts';
import { groupByPath, patternFor } from './find-words.ts';

test.each([
  ['', ''],
  ['  ', ''],
  [' invoice ', '*invoice*'],
  ['*.pdf', '*.pdf'],
  ['report-0?', 'report-0?'],
  ['/srv/www', '/srv/www'],
])('%j is looked for as %j', (typed, pattern) => {
  expect(patternFor(typed)).toBe(pattern);
});

test('versions of one path come together, newest first', () => {
  const hit = (path: string, modifiedAt: string | null) => ({ path, modifiedAt }) as FoundItem;
  const groups = groupByPath([
    hit('/b', '2026-01-01'),
    hit('/a', null),
    hit('/b', '2026-02-01'),
    hit('/a', '2025-01-01'),
  ]);
  expect(groups.map(([path, versions]) => [path, versions.map((one) => one.modifiedAt)])).toEqual([
    ['/b', ['2026-02-01', '2026-01-01']],
    ['/a', ['2025-01-01', null]],
  ]);
});
