import { keepPolicySchema } from '@backupx/contracts/jobs';
import { beforeEach, expect, it } from 'vitest';
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
