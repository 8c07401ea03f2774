/** A pack that is not as long as the index says: nothing is removed while a snapshot needs what is in it. */
import { beforeEach, describe, expect, it } from 'vitest';
import { createMemoryStorage, type MemoryStorage } from '../../testing/memory-storage.ts';
import type { Snapshot } from '../format/snapshot-file.ts';
import type { Repository } from '../open-repository.ts';
import { markForSweep, type PruneOptions, pruneExclusively, sweepCondemned } from './prune-repository.ts';
import { backup, beginBackup, type Files, makeRepository, readBack, textOf, workOn } from './small-repository.ts';

const options: PruneOptions = { dryRun: false, condemnedPacks: [], maxUnusedShare: 0, maxRepackBytes: null };
const runs = { pruneExclusively, markForSweep, sweepCondemned };
const never = new AbortController().signal;

let storage: MemoryStorage;
let repository: Repository;
beforeEach(async () => {
  storage = createMemoryStorage();
  repository = await makeRepository(storage);
});

const packs = () => [...storage.objects.keys()].filter((key) => key.startsWith('data/'));
const files = (...seeds: string[]): Files => Object.fromEntries(seeds.map((seed) => [`dir/${seed}`, textOf(seed)]));
const forget = (snapshot: Snapshot) => repository.removeFile('snapshots', snapshot.id, never);

/** Runs `work` and answers the packs that it stored. */
async function packsOf(work: () => Promise<unknown>): Promise<string[]> {
  const before = packs();
  await work();
  return packs().filter((key) => !before.includes(key));
}

function resize(key: string, by: number): { was: number; is: number } {
  const bytes = storage.objects.get(key) ?? new Uint8Array(0);
  const changed = new Uint8Array(bytes.byteLength + by);
  changed.set(bytes.subarray(0, changed.byteLength));
  storage.objects.set(key, changed);
  return { was: bytes.byteLength, is: changed.byteLength };
}

describe.each([
  ['longer', 1],
  ['shorter', -1],
])('a pack that is a byte %s', (_, by) => {
  it.each(Object.keys(runs) as (keyof typeof runs)[])('ends %s, which names it and removes nothing', async (name) => {
    const needed = await packsOf(() => backup(repository, files('a')));
    await forget(await backup(repository, files('x')));
    const condemnedPacks = packs().map((key) => key.slice(-64));
    for (const key of needed) {
      const { was, is } = resize(key, by);
      const before = new Map(storage.objects);
      const work = runs[name](workOn(repository), { ...options, condemnedPacks });
      const reason = new RegExp(`pack ${key.slice(-64)} .* has ${is} bytes instead of ${was}`);
      await expect(work).rejects.toMatchObject({
        code: 'REPOSITORY_DAMAGED',
        params: { reason: expect.stringMatching(reason) as string },
      });
      expect(storage.objects).toEqual(before);
      resize(key, -by);
    }
  });

  it('goes when nobody needs it', async () => {
    const kept = await backup(repository, files('a'));
    let gone: Snapshot | null = null;
    const doomed = await packsOf(async () => {
      gone = await backup(repository, files('x'));
    });
    if (gone) await forget(gone);
    for (const key of doomed) resize(key, by);
    await pruneExclusively(workOn(repository), options);
    for (const key of doomed) expect(packs()).not.toContain(key);
    expect(await readBack(repository, kept)).toEqual(files('a'));
  });

  it('gives way to another with the same blobs', async () => {
    // Both began before either was there, so both stored all.
    const twins = [await beginBackup(repository, files('a')), await beginBackup(repository, files('a'))] as const;
    const damaged = await packsOf(() => twins[0].storePacks());
    await twins[1].storePacks();
    for (const twin of twins) await twin.storeIndex();
    const snapshot = await twins[1].saveSnapshot();
    for (const key of damaged) resize(key, by);
    await pruneExclusively(workOn(repository), options);
    for (const key of damaged) expect(packs()).not.toContain(key);
    expect(await readBack(repository, snapshot)).toEqual(files('a'));
  });
});
