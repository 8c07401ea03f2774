import { expect, it } from 'vitest';
import { findGaps } from './find-gaps.ts';
import { parseHistory } from './read-branches.ts';

const none = new Map();
const one = (...segments: number[]) => [{ timeline: 1, segments }];

it('finds what is missing between segments', () => {
  expect(findGaps(one(), none, null)).toEqual([]);
  expect(findGaps(one(3, 4, 5), none, null)).toEqual([]);
  expect(findGaps(one(3, 5, 9), none, null)).toEqual([
    { timeline: 1, first: 4, last: 4 },
    { timeline: 1, first: 6, last: 8 },
  ]);
});

it('begins where it is told to', () => {
  expect(findGaps(one(3, 5, 6), none, { timeline: 1, segment: 5 })).toEqual([]);
  expect(findGaps(one(3, 6), none, { timeline: 1, segment: 5 })).toEqual([{ timeline: 1, first: 5, last: 5 }]);
  expect(findGaps(one(3), none, { timeline: null, segment: 5 })).toEqual([{ timeline: 1, first: 5, last: 5 }]);
  expect(findGaps(one(7), none, { timeline: null, segment: 5 })).toEqual([{ timeline: 1, first: 5, last: 6 }]);
});

it('follows timelines from where they branched off', () => {
  const branches = new Map([[2, { parent: 1, segment: 6 }]]);
  const log = (first: number[], second: number[]) => [
    { timeline: 1, segments: first },
    { timeline: 2, segments: second },
  ];
  // The parent's own copy of the segment may be missing (it is a partial one), and it may have gone on.
  expect(findGaps(log([4, 5], [6, 7]), branches, null)).toEqual([]);
  expect(findGaps(log([4, 5, 6, 7, 8], [6, 7]), branches, null)).toEqual([]);
  expect(findGaps(log([4], [6, 7]), branches, null)).toEqual([{ timeline: 1, first: 5, last: 5 }]);
  expect(findGaps(log([4, 5], [8]), branches, null)).toEqual([{ timeline: 2, first: 6, last: 7 }]);
  // A base backup of the new timeline needs nothing of the old one.
  expect(findGaps(log([], [8]), branches, null)).toEqual([]);
  expect(findGaps(log([1, 2], [8, 9]), branches, { timeline: 2, segment: 8 })).toEqual([]);
  const both = new Map([
    [2, { parent: 1, segment: 6 }],
    [3, { parent: 1, segment: 6 }],
  ]);
  const three = [...log([4], [6]), { timeline: 3, segments: [6] }];
  expect(findGaps(three, both, null)).toEqual([{ timeline: 1, first: 5, last: 5 }]);
});

it('reads the parent and the place from the last line of a history', () => {
  const text = '1\t0/3000000\tno recovery target specified\n\n2\t1/5000148\tbefore 2026-05-01 12:00:00+00\n';
  expect(parseHistory(text, 2 ** 24)).toEqual({ parent: 2, segment: 0x105 });
  expect(parseHistory('# nothing\n', 2 ** 24)).toBe(null);
});
