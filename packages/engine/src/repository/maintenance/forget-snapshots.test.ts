import { keepPolicySchema } from '@backupx/contracts/jobs';
import { beforeEach, describe, expect, it } from 'vitest';
import { createFakeClock } from '../../testing/fake-clock.ts';
import { createMemoryStorage } from '../../testing/memory-storage.ts';
import type { Snapshot } from '../format/snapshot-file.ts';
import type { Repository } from '../open-repository.ts';
import { listSnapshots } from '../snapshots.ts';
import { type ForgetOptions, forgetSnapshots } from './forget-snapshots.ts';
import { backup, makeRepository, workOn } from './small-repository.ts';

const never = new AbortController().signal;
const options: ForgetOptions = { snapshotIds: null, policy: null, lockedIds: [], dryRun: false };

let repository: Repository;
let snapshots: Snapshot[];

beforeEach(async () => {
  repository = await makeRepository(createMemoryStorage());
  snapshots = [];
  for (const day of [1, 2, 3]) {
    snapshots.push(await backup(repository, { a: `${day}` }, { snapshot: { time: `2026-01-0${day}T00:00:00Z` } }));
  }
});

const left = async () => (await listSnapshots(repository, never)).map(({ id }) => id);
const ids = (...days: number[]) => days.map((day) => snapshots[day - 1]?.id ?? '');

it('removes what a policy does not keep, but nothing that is locked', async () => {
  const policy = keepPolicySchema.parse({ last: 1 });
  const [locked = ''] = ids(1);
  const asked = { ...options, policy, lockedIds: [locked] };
  const dry = await forgetSnapshots(workOn(repository), { ...asked, dryRun: true });
  expect(await left()).toEqual(ids(1, 2, 3));
  const result = await forgetSnapshots(workOn(repository), asked);
  expect(result).toEqual(dry);
  expect(result.removed.map(({ id }) => id)).toEqual(ids(2));
  expect(result.kept.map(({ id, reasons }) => [id, reasons])).toEqual([
    [ids(3)[0], ['last snapshot']],
    [ids(1)[0], ['locked']],
  ]);
  expect(await left()).toEqual(ids(1, 3));
});

it('removes no snapshot that came after the others were judged', async () => {
  const policy = keepPolicySchema.parse({ tags: ['kept'] });
  const { id } = await backup(repository, { a: 'tagged' }, { snapshot: { tags: ['kept'] } });
  const candidateIds = [...ids(1, 2), id];
  const result = await forgetSnapshots(workOn(repository), { ...options, policy, candidateIds });
  expect(result.removed.map((removed) => removed.id).sort()).toEqual(ids(1, 2).sort());
  expect(result.kept).toContainEqual(expect.objectContaining({ id: ids(3)[0], reasons: ['made meanwhile'] }));
  expect((await left()).sort()).toEqual([...ids(3), id].sort());
});

it('removes snapshots by name, but nothing that is locked', async () => {
  const [first = '', second = ''] = snapshots.map(({ id }) => id);
  const result = await forgetSnapshots(workOn(repository), {
    ...options,
    snapshotIds: [first.slice(0, 20), second],
    lockedIds: [second],
  });
  expect(result.removed.map(({ id }) => id)).toEqual([first]);
  expect(result.kept).toMatchObject([{ id: second, reasons: ['locked'] }]);
  expect(await left()).toEqual(ids(2, 3));
  const newest = await forgetSnapshots(workOn(repository), { ...options, snapshotIds: ['latest'], dryRun: true });
  expect(newest.removed.map(({ id }) => id)).toEqual(ids(3));
  const again = forgetSnapshots(workOn(repository), { ...options, snapshotIds: [first] });
  await expect(again).rejects.toMatchObject({ code: 'SNAPSHOT_NOT_FOUND' });
  await expect(forgetSnapshots(workOn(repository), options)).rejects.toMatchObject({ code: 'INVALID_INPUT' });
});

describe('where arrivals are known', () => {
  const policy = keepPolicySchema.parse({ last: 2 });
  const now = new Date('2026-02-01T12:00:00Z');
  const arrived = (id: string, arrivedAt: string) => ({ id, startedAt: null, arrivedAt });
  const forget = (arrivals: NonNullable<ForgetOptions['arrivals']>, more: Partial<ForgetOptions> = {}) =>
    forgetSnapshots({ ...workOn(repository), clock: createFakeClock(now) }, { ...options, policy, arrivals, ...more });
  const add = async (time: string) => (await backup(repository, { a: time }, { snapshot: { time } })).id;
  const good = () => ids(1, 2, 3).map((id, index) => arrived(id, `2026-01-0${index + 1}T02:00:00Z`));

  it('snapshots from the future push out none of the good ones', async () => {
    const future = [await add('2030-01-01T00:00:00Z'), await add('2031-01-01T00:00:00Z')];
    const byTheirDates = await forgetSnapshots(workOn(repository), { ...options, policy, dryRun: true });
    expect(byTheirDates.removed.map(({ id }) => id).sort()).toEqual(ids(1, 2, 3).sort());
    const seen = future.map((id) => arrived(id, '2026-01-20T00:00:00Z'));
    const { removed, kept } = await forget([...good(), ...seen]);
    expect(removed.map(({ id }) => id)).toEqual(ids(1));
    const reason = ['its date cannot be right'];
    for (const id of future) expect(kept).toContainEqual(expect.objectContaining({ id, reasons: reason }));
    expect(kept.find(({ id }) => id === future[0])?.time).toBe('2030-01-01T00:00:00Z');
    expect((await left()).sort()).toEqual([...ids(2, 3), ...future].sort());
  });

  it('nor do those of whose arrival nothing is known, or that are dated long back', async () => {
    const future = await add('2026-02-01T14:00:00Z');
    const past = await add('2025-01-01T00:00:00Z');
    const { removed } = await forget([...good(), arrived(past, '2026-01-20T00:00:00Z')]);
    expect(removed.map(({ id }) => id)).toEqual(ids(1));
    expect(await left()).toContain(future);
    expect(await left()).toContain(past);
  });

  it('a snapshot counts by when it came, whatever day it says', async () => {
    const daily = keepPolicySchema.parse({ daily: 3 });
    // Dated in other time zones, three on one day would be three days.
    const young = [
      await add('2026-01-19T13:00:00+14:00'),
      await add('2026-01-19T11:00:00-12:00'),
      await add('2026-01-20T15:00:00+14:00'),
    ];
    const seen = young.map((id, index) => arrived(id, `2026-01-20T0${index + 1}:00:00Z`));
    const { removed } = await forget([...good(), ...seen], { policy: daily });
    expect(removed.map(({ id }) => id).sort()).toEqual([...ids(1), ...young.slice(0, 2)].sort());
  });

  it('a run of ours counts by its own date, however long it took', async () => {
    const ours = { id: ids(3)[0] ?? '', startedAt: '2026-01-03T00:00:00Z', arrivedAt: '2026-01-25T00:00:00Z' };
    const later = await add('2026-01-10T00:00:00Z');
    const { removed } = await forget([...good(), ours, arrived(later, '2026-01-10T01:00:00Z')]);
    expect(removed.map(({ id }) => id).sort()).toEqual(ids(1, 2).sort());
  });
});
