import { AppError } from '@backupx/contracts/errors';
import { type KeepPolicy, keepPolicySchema } from '@backupx/contracts/jobs';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { applyKeepPolicy, type DatedSnapshot } from './keep-policy.ts';

const now = new Date('2026-06-01T00:00:00Z');

function policyOf(policy: Partial<KeepPolicy>): KeepPolicy {
  return keepPolicySchema.parse(policy);
}

function snapshotAt(time: string, more: Partial<DatedSnapshot> = {}): DatedSnapshot {
  return { id: time, time, hostname: 'a', paths: ['/x'], tags: [], ...more };
}

function keptTimes(times: readonly string[], policy: Partial<KeepPolicy>): string[] {
  const { kept } = applyKeepPolicy(
    times.map((time) => snapshotAt(time)),
    policyOf(policy),
    { now },
  );
  return kept.map(({ snapshot, reasons }) => `${snapshot.time} ${reasons.join(', ')}`);
}

it('keeps the newest of each day, and the oldest while days are left', () => {
  const times = ['2026-01-01T01:00:00Z', '2026-01-01T02:00:00Z', '2026-01-02T01:00:00Z', '2026-01-02T05:00:00Z'];
  expect(keptTimes(times, { daily: 5 })).toEqual([
    '2026-01-02T05:00:00Z daily snapshot',
    '2026-01-01T02:00:00Z daily snapshot',
    '2026-01-01T01:00:00Z oldest daily snapshot',
  ]);
  expect(keptTimes(times, { daily: 2 })).toEqual([
    '2026-01-02T05:00:00Z daily snapshot',
    '2026-01-01T02:00:00Z daily snapshot',
  ]);
  expect(keptTimes(times, { last: 1, hourly: 2 })).toEqual([
    '2026-01-02T05:00:00Z last snapshot, hourly snapshot',
    '2026-01-02T01:00:00Z hourly snapshot',
  ]);
});

it('takes weeks as ISO 8601 does', () => {
  // Thursday decides: the first three are week 53 of 2020, the fourth is week 1 of 2021.
  const times = ['2020-12-28T12:00:00Z', '2021-01-01T12:00:00Z', '2021-01-03T12:00:00Z', '2021-01-04T12:00:00Z'];
  expect(keptTimes(times, { weekly: 2 })).toEqual([
    '2021-01-04T12:00:00Z weekly snapshot',
    '2021-01-03T12:00:00Z weekly snapshot',
  ]);
  // The last days of 2024 belong to the first week of 2025.
  const turn = ['2024-12-29T12:00:00Z', '2024-12-30T12:00:00Z', '2025-01-05T12:00:00Z'];
  expect(keptTimes(turn, { weekly: 2 }).map((text) => text.slice(0, 10))).toEqual(['2025-01-05', '2024-12-29']);
});

it('counts days where the snapshot was made', () => {
  // One instant apart by an hour in UTC, the same day on the wall of the second offset.
  const times = ['2026-03-02T00:30:00+02:00', '2026-03-02T01:30:00+02:00', '2026-03-01T22:40:00Z'];
  const { kept } = applyKeepPolicy(
    times.map((time) => snapshotAt(time)),
    policyOf({ daily: 9 }),
    { now },
  );
  expect(kept.map(({ snapshot }) => snapshot.time)).toEqual([times[1], times[2], times[0]]);
});

it('measures "within" from the newest snapshot that is not from the future', () => {
  const times = ['2026-01-01T00:00:00Z', '2026-01-01T12:00:00Z', '2026-01-02T00:00:00Z', '2027-01-01T00:00:00Z'];
  expect(keptTimes(times, { withinHours: 24 })).toEqual([
    '2027-01-01T00:00:00Z within 24h',
    '2026-01-02T00:00:00Z within 24h',
    '2026-01-01T12:00:00Z within 24h',
  ]);
});

it('knows tags: all of a list, the empty one for no tags', () => {
  const list = [
    snapshotAt('2026-01-01T00:00:00Z', { tags: ['keep', 'db'] }),
    snapshotAt('2026-01-02T00:00:00Z', { tags: ['db'] }),
    snapshotAt('2026-01-03T00:00:00Z'),
  ];
  const days = (tags: string[]) =>
    applyKeepPolicy(list, policyOf({ tags }), { now }).kept.map(({ snapshot }) => snapshot.time.slice(8, 10));
  expect(days(['keep,db'])).toEqual(['01']);
  expect(days(['db'])).toEqual(['02', '01']);
  expect(days([''])).toEqual(['03']);
});

it('never empties a group, never takes an empty policy', () => {
  const { kept, removed } = applyKeepPolicy(
    [snapshotAt('2026-01-01T00:00:00Z'), snapshotAt('2026-01-02T00:00:00Z', { hostname: 'b', tags: ['x'] })],
    policyOf({ tags: ['x'] }),
    { now },
  );
  expect(removed).toEqual([]);
  expect(kept[0]?.reasons).toEqual(['the policy matches no snapshot of this host and paths']);
  expect(() => applyKeepPolicy([], policyOf({}), { now })).toThrow(AppError);
});

const snapshots = fc
  .array(
    fc.record({
      hour: fc.integer({ min: 0, max: 24 * 800 }),
      host: fc.constantFrom('a', 'b'),
      paths: fc.constantFrom(['/x'], ['/x', '/y'], ['/y', '/x']),
      tags: fc.subarray(['t', 'u']),
    }),
    { maxLength: 60 },
  )
  .map((list) =>
    list.map(({ hour, host, paths, tags }, at): DatedSnapshot => {
      const time = new Date(Date.UTC(2024, 0, 1, hour)).toISOString();
      return { id: String(at), time, hostname: host, paths, tags };
    }),
  );
const counts = fc.record({
  last: fc.integer({ min: 0, max: 5 }),
  hourly: fc.integer({ min: 0, max: 5 }),
  daily: fc.integer({ min: 0, max: 5 }),
  weekly: fc.integer({ min: 0, max: 5 }),
  monthly: fc.integer({ min: 0, max: 5 }),
  yearly: fc.integer({ min: 0, max: 5 }),
});
const policies = counts
  .chain((counters) =>
    fc.record({
      ...Object.fromEntries(Object.entries(counters).map(([name, value]) => [name, fc.constant(value)])),
      withinHours: fc.constantFrom(0, 0, 48),
      tags: fc.subarray(['t', 't,u']),
    }),
  )
  .map((policy) => policyOf(policy as Partial<KeepPolicy>))
  .filter((policy) => Object.values(policy).some((value) => (Array.isArray(value) ? value.length > 0 : value > 0)));

const idsOf = (list: readonly { id: string }[]) => list.map(({ id }) => id).sort();
const keptIds = (list: readonly DatedSnapshot[], policy: KeepPolicy, lockedIds?: ReadonlySet<string>) =>
  idsOf(applyKeepPolicy(list, policy, lockedIds ? { now, lockedIds } : { now }).kept.map(({ snapshot }) => snapshot));

it('decides about every snapshot once, whatever their order, and keeps what is locked', () => {
  fc.assert(
    fc.property(snapshots, policies, fc.integer({ min: 1, max: 60 }), (list, policy, turn) => {
      const lockedIds = new Set(['0', '3']);
      const { kept, removed } = applyKeepPolicy(list, policy, { now, lockedIds });
      expect(idsOf([...removed, ...kept.map(({ snapshot }) => snapshot)])).toEqual(idsOf(list));
      expect(kept.every(({ reasons }) => reasons.length > 0)).toBe(true);
      expect(removed.some(({ id }) => lockedIds.has(id))).toBe(false);
      const turned = [...list.slice(turn % (list.length + 1)), ...list.slice(0, turn % (list.length + 1))];
      // Of two snapshots of the same moment the id decides, not the order.
      expect(keptIds(turned, policy, lockedIds)).toEqual(keptIds(list, policy, lockedIds));
    }),
  );
});

it('keeps more with higher counters, and decides the same again', () => {
  fc.assert(
    fc.property(
      snapshots,
      counts,
      fc.constantFrom('last', 'hourly', 'daily', 'weekly', 'monthly', 'yearly'),
      (list, counters, name) => {
        const policy = policyOf(counters);
        const more = policyOf({ ...counters, [name]: counters[name] + 1 });
        fc.pre(Object.values(counters).some((count) => count > 0));
        const kept = keptIds(list, policy);
        expect(keptIds(list, more)).toEqual(expect.arrayContaining(kept));
        expect(
          keptIds(
            list.filter(({ id }) => kept.includes(id)),
            policy,
          ),
        ).toEqual(kept);
      },
    ),
  );
});

it('never takes more than a counter allows, and the newest of a group first', () => {
  fc.assert(
    fc.property(snapshots, fc.integer({ min: 1, max: 6 }), (list, daily) => {
      const { kept } = applyKeepPolicy(list, policyOf({ daily }), { now });
      const groups = new Map<string, string[]>();
      for (const { snapshot } of kept) {
        const key = `${snapshot.hostname} ${[...snapshot.paths].sort()}`;
        groups.set(key, [...(groups.get(key) ?? []), snapshot.time]);
      }
      for (const [key, times] of groups) {
        expect(times.length).toBeLessThanOrEqual(daily);
        const group = list.filter(({ hostname, paths }) => `${hostname} ${[...paths].sort()}` === key);
        expect(times[0]).toBe(
          group
            .map(({ time }) => time)
            .sort()
            .at(-1),
        );
      }
    }),
  );
});
