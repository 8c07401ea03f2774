import { AppError } from '@backupx/contracts/errors';
import { beforeEach, expect, it } from 'vitest';
import { systemClock } from '../../ports/clock.ts';
import { createMemoryStorage, type MemoryStorage } from '../../testing/memory-storage.ts';
import { hashOf, toHex } from '../format/blob-id.ts';
import type { Snapshot } from '../format/snapshot-file.ts';
import type { Repository } from '../open-repository.ts';
import { createPackWriter } from '../pack-writer.ts';
import { saveSnapshot } from '../snapshots.ts';
import { checkRepository } from './check-repository.ts';
import { dyingStorage, openThrough } from './dying-storage.ts';
import { markForSweep, type PruneOptions, pruneExclusively, sweepCondemned } from './prune-repository.ts';
import {
  addSealed,
  backup,
  beginBackup,
  type Files,
  makeRepository,
  readBack,
  textOf,
  workOn,
} from './small-repository.ts';

const never = new AbortController().signal;
const options: PruneOptions = { dryRun: false, condemnedPacks: [], maxUnusedShare: 0, maxRepackBytes: null };

let storage: MemoryStorage;
let repository: Repository;

beforeEach(async () => {
  storage = createMemoryStorage();
  repository = await makeRepository(storage);
});

const packs = () => [...storage.objects.keys()].filter((key) => key.startsWith('data/'));
const packBytes = () => packs().reduce((sum, key) => sum + (storage.objects.get(key)?.byteLength ?? 0), 0);

function files(...seeds: string[]): Files {
  return Object.fromEntries(seeds.map((seed) => [`dir/${seed}`, textOf(seed)]));
}

async function forget(snapshot: Snapshot): Promise<void> {
  await repository.removeFile('snapshots', snapshot.id, never);
}

/** Every snapshot restores, and the check finds no error; answers the codes of its hints. */
async function expectWhole(expected: ReadonlyMap<string, Files>): Promise<string[]> {
  const result = await checkRepository(workOn(repository), 'structure');
  const errors = result.problems.filter(({ level, code }) => level === 'error' && code !== 'key_missing');
  expect(errors).toEqual([]);
  expect([...result.intactSnapshotIds].sort()).toEqual([...expected.keys()].sort());
  for (const [id, contents] of expected) {
    const json = JSON.parse((await repository.readFile('snapshots', id, never)).toString()) as { tree: string };
    expect(await readBack(repository, json)).toEqual(contents);
  }
  return result.problems.filter(({ level }) => level === 'hint').map(({ code }) => code);
}

it('frees what no snapshot needs and keeps the rest, in the fewest packs', async () => {
  const a = await backup(repository, files('a', 'b'));
  const b = await backup(repository, files('b', 'c'));
  const c = await backup(repository, files('c', 'd'));
  await forget(a);
  await forget(c);
  const before = packBytes();
  const dry = await pruneExclusively(workOn(repository), { ...options, dryRun: true });
  expect(packBytes()).toBe(before);
  expect(dry.packsRemoved).toBeGreaterThan(0);
  const result = await pruneExclusively(workOn(repository), options);
  expect(result).toMatchObject({ bytesBefore: before, bytesUnusedLeft: 0, packsRemoved: dry.packsRemoved });
  expect(await expectWhole(new Map([[b.id, files('b', 'c')]]))).toEqual([]);
  expect(packBytes()).toBeLessThan(before);
  // Nothing is left to do.
  expect(await pruneExclusively(workOn(repository), options)).toMatchObject({ packsRemoved: 0, bytesFreed: 0 });
});

it('leaves as much waste as it may, and packs anew only as much as it may', async () => {
  const a = await backup(repository, files('a', 'b', 'c', 'd', 'e', 'f'));
  await backup(repository, files('a', 'b', 'c', 'd', 'e'));
  await forget(a);
  for (const maxRepackBytes of [0, 1]) {
    const little = await pruneExclusively(workOn(repository), { ...options, dryRun: true, maxRepackBytes });
    expect(little.packsRepacked).toBe(0);
    expect(little.bytesUnusedLeft).toBeGreaterThan(0);
  }
  const all = await pruneExclusively(workOn(repository), { ...options, dryRun: true });
  expect(all.packsRepacked).toBeGreaterThan(0);
  expect(all.bytesUnusedLeft).toBe(0);
});

it('frees what it can without writing anything anew, for a storage that is full', async () => {
  await forget(await backup(repository, files('gone')));
  const a = await backup(repository, files('a', 'b'));
  const b = await backup(repository, files('b', 'c'));
  await forget(a);
  const before = packs();
  const result = await pruneExclusively(workOn(repository), { ...options, maxRepackBytes: 0 });
  expect(result).toMatchObject({ packsRepacked: 0 });
  expect(result.packsRemoved).toBeGreaterThan(0);
  expect(packs().filter((key) => !before.includes(key))).toEqual([]);
  await expectWhole(new Map([[b.id, files('b', 'c')]]));
});

it('removes nothing while a snapshot is listed that the storage does not give back', async () => {
  await backup(repository, files('a'));
  const hidden = await backup(repository, files('b'));
  const before = packs();
  const failing: MemoryStorage = {
    ...storage,
    get(key, getOptions) {
      if (key === `snapshots/${hidden.id}`) throw new AppError('STORAGE_NOT_FOUND', { key });
      return storage.get(key, getOptions);
    },
  };
  const through = await openThrough(failing, storage, repository.masterKey);
  for (const run of [pruneExclusively, markForSweep, sweepCondemned]) {
    await expect(run(workOn(through), options)).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
  }
  expect(packs()).toEqual(before);
});

it('removes nothing when the tree of a snapshot is none', async () => {
  const whole = await backup(repository, files('a'));
  await forget(await backup(repository, files('x')));
  const writer = createPackWriter({ repository, signal: never, clock: systemClock });
  const plain = Buffer.from('{"items":[]}');
  await addSealed(repository, writer, { type: 'tree', id: hashOf(plain), plain });
  await writer.finish();
  await saveSnapshot(repository, { ...whole, tree: toHex(hashOf(plain)) }, never);
  const before = [...storage.objects.keys()];
  for (const prune of [pruneExclusively, markForSweep, sweepCondemned]) {
    const work = prune(workOn(repository), { ...options, condemnedPacks: packs().map((key) => key.slice(8)) });
    await expect(work).rejects.toMatchObject({ code: 'REPOSITORY_DAMAGED' });
    expect([...storage.objects.keys()]).toEqual(before);
  }
});

it('does not mind a snapshot that is forgotten while it looks', async () => {
  await backup(repository, files('a'));
  const gone = await backup(repository, files('b'));
  const forgetting: MemoryStorage = {
    ...storage,
    get(key, getOptions) {
      if (key === `snapshots/${gone.id}`) storage.objects.delete(key);
      return storage.get(key, getOptions);
    },
  };
  const through = await openThrough(forgetting, storage, repository.masterKey);
  const { condemnedPacks } = await markForSweep(workOn(through), options);
  expect(condemnedPacks.length).toBeGreaterThan(0);
});

it('removes everything when there is no snapshot', async () => {
  await forget(await backup(repository, files('a')));
  await pruneExclusively(workOn(repository), options);
  expect(packs()).toEqual([]);
  expect([...storage.objects.keys()]).toEqual(['config']);
});

it.each(['data', 'index'])('removes nothing when a needed %s file is missing', async (folder) => {
  await backup(repository, files('a', 'b'));
  await forget(await backup(repository, files('x')));
  for (const key of [...storage.objects.keys()].filter((name) => name.startsWith(`${folder}/`)).slice(0, 2)) {
    storage.objects.delete(key);
  }
  const before = [...storage.objects.keys()];
  for (const prune of [pruneExclusively, markForSweep, sweepCondemned]) {
    const work = prune(workOn(repository), { ...options, condemnedPacks: packs().map((key) => key.slice(8)) });
    await expect(work).rejects.toThrow(AppError);
    await expect(work).rejects.toMatchObject({ code: 'REPOSITORY_DAMAGED' });
    expect([...storage.objects.keys()]).toEqual(before);
  }
});

it('does not carry damage into new packs', async () => {
  const a = await backup(repository, files('a', 'b'));
  await backup(repository, files('b'));
  await forget(a);
  for (const key of packs()) {
    const bytes = storage.objects.get(key);
    // Somewhere in the first blob of each pack, in a tree or in data.
    if (bytes) bytes[20] = (bytes[20] ?? 0) ^ 1;
  }
  const before = [...storage.objects.keys()];
  await expect(pruneExclusively(workOn(repository), options)).rejects.toMatchObject({ code: 'REPOSITORY_DAMAGED' });
  expect([...storage.objects.keys()]).toEqual(expect.arrayContaining(before));
});

/** A repository with much to do: waste, a pack in no index, a blob in two packs. */
async function untidyRepository(): Promise<ReadonlyMap<string, Files>> {
  const a = await backup(repository, files('a', 'b', 'c'));
  const twins = await Promise.all([
    beginBackup(repository, files('x', 'y')),
    beginBackup(repository, files('x', 'y', 'z')),
  ]);
  for (const twin of twins) await twin.storePacks();
  for (const twin of twins) await twin.storeIndex();
  const [x, y] = [await twins[0].saveSnapshot(), await twins[1].saveSnapshot()];
  const b = await backup(repository, files('b', 'c', 'd'));
  const cut = await beginBackup(repository, files('never finished'));
  await cut.storePacks();
  await forget(a);
  await forget(x);
  return new Map([
    [y.id, files('x', 'y', 'z')],
    [b.id, files('b', 'c', 'd')],
  ]);
}

/** Runs `work` on copies of the storage, dying at every single call, then once more to the end. */
async function dieEverywhere(
  work: (repository: Repository) => Promise<unknown>,
  afterwards: () => Promise<void>,
): Promise<number> {
  const original = new Map(storage.objects);
  for (let diesAt = 0; ; diesAt += 1) {
    const mortal = dyingStorage(storage, diesAt);
    await work(await openThrough(mortal, storage, repository.masterKey)).catch((error: unknown) =>
      expect(error).toBeInstanceOf(AppError),
    );
    await afterwards();
    const isDone = mortal.calls <= diesAt;
    storage.objects.clear();
    for (const [key, bytes] of original) storage.objects.set(key, bytes);
    if (isDone) return diesAt;
  }
}

it('loses nothing when it dies at any call, and the next prune finishes it', async () => {
  const expected = await untidyRepository();
  const calls = await dieEverywhere(
    (dying) => pruneExclusively(workOn(dying), options),
    async () => {
      await expectWhole(expected);
      await pruneExclusively(workOn(repository), options);
      expect(await expectWhole(expected)).toEqual([]);
    },
  );
  expect(calls).toBeGreaterThan(20);
});

it('marks without deleting, and sweeps what nobody needs', async () => {
  const expected = await untidyRepository();
  const before = new Set(storage.objects.keys());
  const mark = await markForSweep(workOn(repository), options);
  expect(mark.condemnedPacks.length).toBeGreaterThan(0);
  expect([...storage.objects.keys()]).toEqual(expect.arrayContaining([...before]));
  await expectWhole(expected);
  // Marking again condemns the same and more, not less.
  const again = await markForSweep(workOn(repository), { ...options, condemnedPacks: mark.condemnedPacks });
  expect(again.condemnedPacks).toEqual(expect.arrayContaining(mark.condemnedPacks));
  const swept = await sweepCondemned(workOn(repository), { ...options, condemnedPacks: mark.condemnedPacks });
  expect(swept.packsRemoved).toBe(mark.condemnedPacks.length);
  expect(await expectWhole(expected)).toEqual([]);
  for (const id of mark.condemnedPacks) expect(packs()).not.toContain(`data/${id.slice(0, 2)}/${id}`);
  const nothing = await sweepCondemned(workOn(repository), { ...options, condemnedPacks: mark.condemnedPacks });
  expect(nothing).toMatchObject({ packsRemoved: 0, bytesFreed: 0 });
});

it('loses nothing when a mark or a sweep dies at any call', async () => {
  const expected = await untidyRepository();
  await dieEverywhere(
    (dying) => markForSweep(workOn(dying), options),
    async () => void (await expectWhole(expected)),
  );
  const { condemnedPacks } = await markForSweep(workOn(repository), options);
  await dieEverywhere(
    (dying) => sweepCondemned(workOn(dying), { ...options, condemnedPacks }),
    async () => {
      await expectWhole(expected);
      await sweepCondemned(workOn(repository), { ...options, condemnedPacks });
      expect(await expectWhole(expected)).toEqual([]);
    },
  );
});

it('pardons a pack that a backup from before the mark came to need', async () => {
  await forget(await backup(repository, files('a', 'b')));
  const older = await beginBackup(repository, files('a', 'c'));
  const { condemnedPacks } = await markForSweep(workOn(repository), options);
  await older.storePacks();
  await older.storeIndex();
  const snapshot = await older.saveSnapshot();
  const swept = await sweepCondemned(workOn(repository), { ...options, condemnedPacks });
  expect(swept.packsRemoved).toBeLessThan(condemnedPacks.length);
  await expectWhole(new Map([[snapshot.id, files('a', 'c')]]));
});
