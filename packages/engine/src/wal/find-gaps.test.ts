import { expect, it } from 'vitest';
import { findGaps, gapsAtBackups, guessBranch, mergeGaps } from './find-gaps.ts';
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

it('misses a timeline of which everything is lost', () => {
  const branches = new Map([
    [2, { parent: 1, segment: 6 }],
    [3, { parent: 2, segment: 9 }],
  ]);
  const log = (first: number[], third: number[]) => [
    { timeline: 1, segments: first },
    { timeline: 3, segments: third },
  ];
  expect(findGaps(log([4, 5], [9]), branches, null)).toEqual([{ timeline: 2, first: 6, last: 8 }]);
  expect(findGaps(log([4], [10]), branches, null)).toEqual([
    { timeline: 1, first: 5, last: 5 },
    { timeline: 2, first: 6, last: 8 },
    { timeline: 3, first: 9, last: 9 },
  ]);
  // It ended in the segment in which it began: the next one has all of it.
  const short = new Map([...branches, [3, { parent: 2, segment: 6 }]]);
  expect(findGaps(log([4, 5], [6]), short, null)).toEqual([]);
  expect(findGaps(log([4], [6]), short, null)).toEqual([{ timeline: 1, first: 5, last: 5 }]);
  expect(findGaps(log([4], [9]), branches, { timeline: 3, segment: 9 })).toEqual([]);
});

it('misses what a base backup needs, also at the very beginning', () => {
  const at = (...segments: number[]) => segments.map((segment) => ({ timeline: 1, segment }));
  expect(gapsAtBackups(one(3, 4, 5), at(3, 5))).toEqual([]);
  expect(mergeGaps(gapsAtBackups(one(6, 8), at(3, 4, 7)))).toEqual([
    { timeline: 1, first: 3, last: 5 },
    { timeline: 1, first: 7, last: 7 },
  ]);
  expect(gapsAtBackups([], at(3))).toEqual([{ timeline: 1, first: 3, last: 3 }]);
});

it('guesses where a timeline began whose history it has no key for', () => {
  const log = [...one(4, 5), { timeline: 2, segments: [3] }];
  expect(guessBranch(6, log)).toEqual({ parent: 1, segment: 6 });
  expect(guessBranch(9, log)).toEqual({ parent: 2, segment: 9 });
  expect(guessBranch(2, log)).toBe(null);
});

it('reads from a history where each timeline was left', () => {
  const text = '1\t0/3000000\tno recovery target specified\n\n2\t1/5000148\tbefore 2026-05-01 12:00:00+00\n';
  expect(parseHistory(text, 4, 2 ** 24)).toEqual(
    new Map([
      [2, { parent: 1, segment: 3 }],
      [4, { parent: 2, segment: 0x105 }],
    ]),
  );
  expect(parseHistory('# nothing\n', 2, 2 ** 24)).toBe(null);
  expect(parseHistory('1\t0/30', 2, 2 ** 24)).toEqual(new Map([[2, { parent: 1, segment: 0 }]]));
  expect(parseHistory('1\t0/', 2, 2 ** 24)).toBe(null);
});
