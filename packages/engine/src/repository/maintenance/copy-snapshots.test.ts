import { AppError } from '@backupx/contracts/errors';
import { beforeEach, expect, it } from 'vitest';
import { createMemoryStorage, type MemoryStorage } from '../../testing/memory-storage.ts';
import { toHex } from '../format/blob-id.ts';
import type { Snapshot } from '../format/snapshot-file.ts';
import { loadIndex } from '../load-index.ts';
import type { Repository } from '../open-repository.ts';
import { listSnapshots } from '../snapshots.ts';
import { checkRepository } from './check-repository.ts';
import { type CopySnapshotsOptions, copySnapshots } from './copy-snapshots.ts';
import { dyingStorage, openThrough } from './dying-storage.ts';
import { backup, type Files, makeRepository, readBack, textOf, workOn } from './small-repository.ts';

const signal = new AbortController().signal;

let sourceStorage: MemoryStorage;
let targetStorage: MemoryStorage;
let from: Repository;
let to: Repository;
let snapshots: Snapshot[];

const filesOf = (day: number): Files => ({ same: textOf('same'), [`dir/${day}`]: textOf(`${day}`), short: `${day}` });

beforeEach(async () => {
  sourceStorage = createMemoryStorage();
  targetStorage = createMemoryStorage();
  from = await makeRepository(sourceStorage);
  to = await makeRepository(targetStorage);
  snapshots = [];
  for (const day of [1, 2, 3]) {
    const parent = snapshots.at(-1)?.id ?? null;
    const tags = day === 2 ? ['two'] : [];
    snapshots.push(await backup(from, filesOf(day), { snapshot: { parent, tags, time: `2026-01-0${day}T00:00:00Z` } }));
  }
});

const copy = (more: Partial<CopySnapshotsOptions> = {}) =>
  copySnapshots({ from, to, snapshotIds: null, signal, ...more });

async function expectCopies(...days: number[]): Promise<Snapshot[]> {
  const result = await checkRepository(workOn(to), 'all');
  expect(result.problems.filter(({ code }) => code !== 'key_missing' && code !== 'pack_unindexed')).toEqual([]);
  const copies = await listSnapshots(to, signal);
  expect(copies.map(({ original, tree }) => [original, tree])).toEqual(
    days.map((day) => [snapshots[day - 1]?.id, snapshots[day - 1]?.tree]),
  );
  for (const [at, found] of copies.entries()) expect(await readBack(to, found)).toEqual(filesOf(days[at] ?? 0));
  return copies;
}

it('copies everything once, with tags, times and parents', async () => {
  const result = await copy();
  expect(result).toMatchObject({ skipped: 0, copied: snapshots.map(({ id }) => ({ from: id })) });
  const copies = await expectCopies(1, 2, 3);
  expect(copies.map(({ parent }) => parent)).toEqual([null, copies[0]?.id, copies[1]?.id]);
  expect(copies.map(({ tags, time }) => [tags, time])).toEqual(snapshots.map(({ tags, time }) => [tags, time]));
  expect(await copy()).toEqual({ copied: [], skipped: 3, blobsCopied: 0, bytesStored: 0 });
});

it('copies only the snapshots asked for, and only blobs that are missing', async () => {
  const [first = '', second = ''] = snapshots.map(({ id }) => id);
  const one = await copy({ snapshotIds: [first.slice(0, 12)] });
  await expectCopies(1);
  const two = await copy({ snapshotIds: [second] });
  expect(two.blobsCopied).toBeLessThan(one.blobsCopied);
  const [copyOfFirst, copyOfSecond] = await expectCopies(1, 2);
  expect(copyOfSecond?.parent).toBe(copyOfFirst?.id);
  // Asked for again, it is named although it was there.
  expect(await copy({ snapshotIds: [second] })).toMatchObject({
    copied: [{ from: second, to: copyOfSecond?.id }],
    skipped: 1,
    blobsCopied: 0,
  });
  await expect(copy({ snapshotIds: ['ffff'] })).rejects.toMatchObject({ code: 'SNAPSHOT_NOT_FOUND' });
});

it('copies back and forth without making new snapshots', async () => {
  await copy();
  expect(await copySnapshots({ from: to, to: from, snapshotIds: null, signal })).toMatchObject({
    copied: [],
    skipped: 3,
  });
});

it('stores blobs of condemned packs again', async () => {
  await copy();
  for (const { id } of await listSnapshots(to, signal)) await to.removeFile('snapshots', id, signal);
  const condemnedPacks = [...targetStorage.objects.keys()]
    .filter((key) => key.startsWith('data/'))
    .map((key) => key.slice(8));
  const again = await copy({ condemnedPacks });
  expect(again.blobsCopied).toBeGreaterThan(0);
  for (const id of condemnedPacks) targetStorage.objects.delete(`data/${id.slice(0, 2)}/${id}`);
  for (const found of await listSnapshots(to, signal)) expect(Object.keys(await readBack(to, found))).toHaveLength(3);
});

it('never copies damage: whole snapshots are copied, the others named', async () => {
  // One pack of the third backup, which the others do not need.
  const before = createMemoryStorage();
  for (const [key, bytes] of sourceStorage.objects) before.objects.set(key, bytes);
  const fourth = await backup(from, filesOf(4), { snapshot: { time: '2026-01-04T00:00:00Z' } });
  for (const key of sourceStorage.objects.keys()) {
    const bytes = sourceStorage.objects.get(key);
    if (!key.startsWith('data/') || before.objects.has(key) || !bytes) continue;
    sourceStorage.objects.set(
      key,
      bytes.map((byte, at) => (at % 50 === 20 ? byte ^ 1 : byte)),
    );
  }
  await expect(copy()).rejects.toThrow(new RegExp(`not copied: snapshot ${fourth.id.slice(0, 8)}`));
  await expectCopies(1, 2, 3);
});

it('names a snapshot that cannot be read when all are asked for', async () => {
  const lost = snapshots[1]?.id ?? '';
  sourceStorage.objects.set(`snapshots/${lost}`, new Uint8Array(100));
  await expect(copy()).rejects.toMatchObject({
    code: 'REPOSITORY_DAMAGED',
    message: expect.stringContaining(`not copied: snapshot ${lost.slice(0, 8)}`),
  });
  await expectCopies(1, 3);
  expect(await copy({ snapshotIds: [snapshots[2]?.id ?? ''] })).toMatchObject({ skipped: 1 });
});

it.each(['data', 'tree'] as const)('copies what is whole off a disk with bad sectors below %s', async (type) => {
  const known = new Set(sourceStorage.objects.keys());
  const fourth = await backup(from, filesOf(4), { snapshot: { time: '2026-01-04T00:00:00Z' } });
  const index = await loadIndex(from, { signal });
  const broken = new Set<string>();
  for (let entry = 0; entry < index.count; entry += 1) {
    const key = from.key('data', toHex(index.packId(index.packOf(entry))));
    if (index.typeOf(entry) === type && !known.has(key)) broken.add(key);
  }
  const failing: MemoryStorage = {
    ...sourceStorage,
    get(key, options) {
      if (broken.has(key)) throw new AppError('STORAGE_FAILED', { reason: 'EIO: i/o error, read' });
      return sourceStorage.get(key, options);
    },
  };
  const dying = await openThrough(failing, sourceStorage, from.masterKey);
  await expect(copy({ from: dying })).rejects.toMatchObject({
    code: 'REPOSITORY_DAMAGED',
    message: expect.stringMatching(new RegExp(`not copied: snapshot ${fourth.id.slice(0, 8)}.*EIO`)),
  });
  await expectCopies(1, 2, 3);
});

it('is taken up where it was cut off, at whatever call', async () => {
  for (let diesAt = 0; ; diesAt += 1) {
    const mortal = dyingStorage(targetStorage, diesAt);
    const dying = await openThrough(mortal, targetStorage, to.masterKey);
    await copy({ to: dying }).catch((error: unknown) => expect(error).toBeInstanceOf(AppError));
    for (const found of await listSnapshots(to, signal)) expect(Object.keys(await readBack(to, found))).toHaveLength(3);
    await copy();
    await expectCopies(1, 2, 3);
    if (mortal.calls <= diesAt) return;
    targetStorage.objects.clear();
    to = await makeRepository(targetStorage);
  }
});
