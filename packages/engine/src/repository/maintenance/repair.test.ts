import { AppError } from '@backupx/contracts/errors';
import { beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../ports/clock.ts';
import { createMemoryStorage, type MemoryStorage } from '../../testing/memory-storage.ts';
import { hashOf, toHex } from '../format/blob-id.ts';
import { packIndex } from '../format/index-file.ts';
import type { Snapshot } from '../format/snapshot-file.ts';
import { packNode, packTree, type TreeNode } from '../format/tree-node.ts';
import { loadIndex } from '../load-index.ts';
import type { Repository } from '../open-repository.ts';
import { createPackWriter } from '../pack-writer.ts';
import { listSnapshots, saveSnapshot } from '../snapshots.ts';
import { checkRepository } from './check-repository.ts';
import { dyingStorage, openThrough } from './dying-storage.ts';
import { repairIndex } from './repair-index.ts';
import { repairSnapshots } from './repair-snapshots.ts';
import { addSealed, backup, fileNode, makeRepository, readBack, textOf, workOn } from './small-repository.ts';

const never = new AbortController().signal;
const FILES = { 'a.txt': textOf('a'), 'dir/b.txt': textOf('b', 6), 'dir/deep/c.txt': textOf('c') };

let storage: MemoryStorage;
let repository: Repository;
let first: Snapshot;
let second: Snapshot;

beforeEach(async () => {
  storage = createMemoryStorage();
  repository = await makeRepository(storage);
  first = await backup(repository, FILES);
  second = await backup(repository, { ...FILES, 'a.txt': textOf('a, changed') });
});

const keys = (folder: string) => [...storage.objects.keys()].filter((key) => key.startsWith(`${folder}/`)).sort();
const sizeOf = (key: string) => storage.objects.get(key)?.byteLength ?? 0;

function flip(key: string, at: number): void {
  const bytes = Uint8Array.from(storage.objects.get(key) ?? []);
  const place = at < 0 ? bytes.length + at : at;
  bytes[place] = (bytes[place] ?? 0) ^ 1;
  storage.objects.set(key, bytes);
}

async function problems(read: 'structure' | 'all' = 'all'): Promise<string[]> {
  const result = await checkRepository(workOn(repository), read);
  return result.problems.map(({ code }) => code).filter((code) => code !== 'key_missing');
}

interface IndexedPack {
  readonly id: string;
  readonly blobs: readonly { readonly type: string }[];
}

/** Key of the largest pack with data. */
async function dataPack(): Promise<string> {
  const files = await Promise.all(keys('index').map((key) => repository.readFile('index', key.slice(6), never)));
  const packs = files.flatMap((json) => (JSON.parse(json.toString()) as { packs: IndexedPack[] }).packs);
  const ids = packs.filter(({ blobs }) => blobs[0]?.type === 'data').map(({ id }) => `data/${id.slice(0, 2)}/${id}`);
  return ids.sort((x, y) => sizeOf(y) - sizeOf(x))[0] ?? '';
}

/** Dies at every call of `work`, looks, repeats it to the end, looks again. */
async function dieEverywhere(work: (dying: Repository) => Promise<unknown>, look: (isDone: boolean) => Promise<void>) {
  const original = new Map(storage.objects);
  for (let diesAt = 0; ; diesAt += 1) {
    const mortal = dyingStorage(storage, diesAt);
    await work(await openThrough(mortal, storage, repository.masterKey)).catch((error: unknown) =>
      expect(error).toBeInstanceOf(AppError),
    );
    const isDone = mortal.calls <= diesAt;
    await look(isDone);
    await work(repository);
    await look(true);
    if (isDone) return;
    storage.objects.clear();
    for (const [key, bytes] of original) storage.objects.set(key, bytes);
  }
}

describe('index', () => {
  const repair = (more: { dryRun?: boolean; readAllPacks?: boolean } = {}) =>
    repairIndex(workOn(repository), { dryRun: false, readAllPacks: false, ...more });

  it('changes nothing where nothing is wrong', async () => {
    const before = [...storage.objects.keys()];
    for (const readAllPacks of [false, true]) expect((await repair({ readAllPacks })).changes).toEqual([]);
    expect([...storage.objects.keys()]).toEqual(before);
  });

  it('makes a lost or damaged index anew', async () => {
    for (const damage of [(key: string) => storage.objects.delete(key), (key: string) => flip(key, 40)]) {
      for (const key of keys('index')) damage(key);
      const dry = await repair({ dryRun: true });
      expect(await problems()).not.toEqual([]);
      expect((await repair()).changes).toEqual(dry.changes);
      expect(await problems()).toEqual([]);
      expect(await readBack(repository, first)).toEqual(FILES);
    }
  });

  it('takes missing packs out and names twice-named ones once', async () => {
    const [index = ''] = keys('index');
    await repository.saveFile('index', await repository.readFile('index', index.slice(6), never), never);
    const entry = { type: 'data', id: hashOf(Buffer.from('x')), offset: 0, storedLength: 40, plainLength: 0 } as const;
    await repository.saveFile('index', packIndex([{ id: 'ab'.repeat(32), entries: [entry] }]), never);
    expect(await problems()).toEqual(expect.arrayContaining(['pack_missing', 'index_repeated']));
    await repair();
    expect(await problems()).toEqual([]);
  });

  it('believes the packs where the index says something else', async () => {
    const json = (await repository.readFile('index', keys('index')[0]?.slice(6) ?? '', never)).toString();
    const wrong = json.replace('"offset":0', '"offset":1');
    await repository.removeFile('index', keys('index')[0]?.slice(6) ?? '', never);
    await repository.saveFile('index', Buffer.from(wrong), never);
    expect(await problems()).not.toEqual([]);
    await repair();
    expect(await problems()).toEqual([]);
  });

  it('stores what is whole in a damaged pack anew', async () => {
    const pack = await dataPack();
    storage.objects.set(pack, (storage.objects.get(pack) ?? new Uint8Array()).subarray(0, sizeOf(pack) - 5));
    const { changes } = await repair();
    expect(changes.join('\n')).toMatch(/is damaged and leaves the index; (\d+) of \1 blob/);
    expect(await problems()).toEqual(['pack_unindexed']);
    expect(await readBack(repository, second)).toMatchObject({ 'dir/b.txt': FILES['dir/b.txt'] });
  });

  it('finds damaged blobs when it reads all packs', async () => {
    flip(await dataPack(), 20);
    expect((await repair()).changes).toEqual([]);
    const { changes } = await repair({ readAllPacks: true });
    expect(changes.join('\n')).toMatch(/lost: data [0-9a-f]{64}/);
    expect(new Set(await problems())).toEqual(new Set(['pack_unindexed', 'blob_missing']));
  });

  it('loses nothing when it dies at any call', async () => {
    const pack = await dataPack();
    // Of a pack whose end is lost only its index knows what is in it.
    for (const key of keys('index')) {
      const json = await repository.readFile('index', key.slice(6), never);
      if (!json.includes(pack.slice(8))) flip(key, 40);
    }
    storage.objects.set(pack, (storage.objects.get(pack) ?? new Uint8Array()).subarray(0, sizeOf(pack) - 5));
    await dieEverywhere(
      (dying) => repairIndex(workOn(dying), { dryRun: false, readAllPacks: false }),
      async (isDone) => {
        if (!isDone) return;
        expect(new Set(await problems())).toEqual(new Set(['pack_unindexed']));
        for (const snapshot of [first, second])
          expect(await readBack(repository, snapshot)).toMatchObject({ 'dir/deep/c.txt': FILES['dir/deep/c.txt'] });
      },
    );
  });
});

describe('an index on a bad disk', () => {
  const badSector = () => {
    const cause = Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO' });
    return new AppError('STORAGE_FAILED', { reason: cause.message }, { cause });
  };
  /** Reads of these bytes of a file fail, `times` times. */
  const failing = (
    key: string,
    { from, to, times = Number.POSITIVE_INFINITY }: { from: number; to: number; times?: number },
    errorOf = badSector,
  ) => {
    let left = times;
    const bad: MemoryStorage = {
      ...storage,
      get(wanted, options) {
        const { start = 0, end = Number.POSITIVE_INFINITY } = options.range ?? {};
        if (wanted === key && start < to && end > from && left-- > 0) throw errorOf();
        return storage.get(wanted, options);
      },
    };
    return openThrough(bad, storage, repository.masterKey);
  };
  const repairAll = (on: Repository) => repairIndex(workOn(on), { dryRun: false, readAllPacks: true });

  it('stores anew what can be read, and goes on', async () => {
    const key = await dataPack();
    const { changes } = await repairAll(await failing(key, { from: 20, to: 21 }));
    expect(changes.join()).toMatch(
      /is damaged and leaves the index; \d+ of \d+ blob\(s\) were stored anew; lost: data/,
    );
    // The pack is in no index any more, and still cannot be read.
    const again = await failing(key, { from: 0, to: sizeOf(key) });
    expect((await repairAll(again)).changes).toEqual([expect.stringMatching(/is left out: .*EIO/)]);
  });

  it('loses nothing to a request that fails for a while', async () => {
    const { changes } = await repairAll(await failing(await dataPack(), { from: 20, to: 21, times: 3 }));
    expect(changes.join()).toMatch(/stored anew/);
    expect(changes.join()).not.toContain('lost');
    expect(await problems()).toEqual(['pack_unindexed']);
  });

  it('stops where the storage fails otherwise: what it has may be whole', async () => {
    const key = await dataPack();
    const serverError = () => new AppError('STORAGE_FAILED', { reason: 'answered 500' });
    const isWhole = async () => {
      expect(await readBack(repository, second)).toMatchObject({ 'dir/b.txt': FILES['dir/b.txt'] });
      expect(await problems()).not.toContain('blob_missing');
    };
    // In the middle, and in what the pack says about itself.
    for (const from of [20, sizeOf(key) - 1]) {
      const on = await failing(key, { from, to: from + 1 }, serverError);
      await expect(repairAll(on)).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
      await isWhole();
    }
    for (const index of keys('index')) storage.objects.delete(index);
    const on = await failing(key, { from: 0, to: sizeOf(key) }, serverError);
    await expect(repairAll(on)).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
    await repairAll(repository);
    await isWhole();
  });
});

describe('snapshots', () => {
  const repair = (more: { forget?: boolean; dryRun?: boolean } = {}) =>
    repairSnapshots(workOn(repository), { forget: false, dryRun: false, ...more });
  /** A snapshot with an empty folder; answers where the list of that lies. */
  const addEmptyFolder = async () => {
    const writer = createPackWriter({ repository, signal: never, clock: systemClock });
    const plain = packTree([]);
    await addSealed(repository, writer, { type: 'tree', id: hashOf(plain), plain });
    const folder: TreeNode = { ...fileNode('none', '', []), type: 'dir', content: null, subtree: hashOf(plain) };
    const root = packTree([packNode(folder)]);
    await addSealed(repository, writer, { type: 'tree', id: hashOf(root), plain: root });
    await writer.finish();
    const { id: _, ...fields } = first;
    await saveSnapshot(repository, { ...fields, tree: toHex(hashOf(root)) }, never);
    const index = await loadIndex(repository, { signal: never });
    const entry = index.find(hashOf(plain), 'tree');
    return {
      key: repository.key('data', toHex(index.packId(index.packOf(entry)))),
      offset: index.offsetOf(entry),
    };
  };
  const loseBlobs = async () => {
    flip(await dataPack(), 20);
    await repairIndex(workOn(repository), { dryRun: false, readAllPacks: true });
  };

  it('changes nothing where nothing is wrong, and nothing before the index fits', async () => {
    expect(await repair()).toEqual({ changes: [], newSnapshotIds: [] });
    storage.objects.delete(await dataPack());
    await expect(repair()).rejects.toMatchObject({ code: 'REPOSITORY_DAMAGED' });
  });

  it('keeps what is left of files, and originals until they may go', async () => {
    await loseBlobs();
    const dry = await repair({ dryRun: true });
    expect(dry.newSnapshotIds).toEqual([]);
    expect(await listSnapshots(repository, never)).toHaveLength(2);
    const { changes, newSnapshotIds } = await repair();
    expect(changes).toEqual(dry.changes);
    expect(changes.join('\n')).toMatch(/Snapshot [0-9a-f]{8}, \/.*: \d+ of \d+ bytes are left of it/);
    const all = await listSnapshots(repository, never);
    const repaired = all.filter(({ id }) => newSnapshotIds.includes(id));
    expect(repaired.map(({ original, tags }) => [original, tags])).toEqual(
      repaired.map(({ original }) => [original, ['repaired']]),
    );
    const { intactSnapshotIds } = await checkRepository(workOn(repository), 'all');
    expect(intactSnapshotIds).toEqual(expect.arrayContaining(newSnapshotIds));
    for (const snapshot of repaired) {
      const files = await readBack(repository, snapshot);
      expect(Object.keys(files).sort()).toEqual(Object.keys(FILES).sort());
      const lost = Object.entries(files).filter(
        ([path, text]) => path !== 'a.txt' && text !== FILES[path as keyof typeof FILES],
      );
      for (const [path, text] of lost) expect(text.length).toBeLessThan(FILES[path as keyof typeof FILES].length);
    }
    // Again: the same is not stored twice.
    expect((await repair()).newSnapshotIds).toEqual([]);
    await repair({ forget: true });
    expect(await problems()).toEqual(['pack_unindexed']);
  });

  it('empties a folder whose list is lost, and gives up a snapshot without root', async () => {
    // The index of the first backup: it names the packs with all its folders.
    const names = keys('index').map((key) => key.slice(6));
    const files = await Promise.all(names.map((name) => repository.readFile('index', name, never)));
    const index = files.find((json) => json.includes(first.tree)) ?? '';
    const trees = JSON.parse(index.toString()) as { packs: IndexedPack[] };
    for (const { id, blobs } of trees.packs) {
      if (blobs[0]?.type === 'tree') storage.objects.delete(`data/${id.slice(0, 2)}/${id}`);
    }
    await repairIndex(workOn(repository), { dryRun: false, readAllPacks: false });
    const { changes, newSnapshotIds } = await repair({ forget: true });
    expect(changes.join('\n')).toMatch(/nothing of it can be read; it is removed/);
    const left = await listSnapshots(repository, never);
    expect(left.map(({ id }) => id)).toEqual(newSnapshotIds);
    for (const snapshot of left)
      expect(await readBack(repository, snapshot)).toEqual({ 'a.txt': textOf('a, changed') });
    expect(await problems()).toEqual([]);
  });

  it('stores the list of an empty folder anew when that is what is lost', async () => {
    const place = await addEmptyFolder();
    flip(place.key, place.offset + 20);
    expect(await problems('structure')).toEqual(['pack_damaged']);
    const { changes, newSnapshotIds } = await repair({ forget: true });
    expect(changes).toEqual([expect.stringContaining('/none: the list of the folder is lost; it is empty now')]);
    // It is the same list, so the snapshot stays.
    expect(newSnapshotIds).toEqual([]);
    expect(await problems('structure')).toEqual([]);
  });

  it('takes nothing for lost that was damaged on its way only', async () => {
    const place = await addEmptyFolder();
    let reads = 0;
    const noisy: MemoryStorage = {
      ...storage,
      async *get(key, options) {
        for await (const chunk of storage.get(key, options)) {
          if (key === place.key) reads += 1;
          yield key === place.key && reads === 1 ? chunk.map((byte) => byte ^ 1) : chunk;
        }
      },
    };
    const through = await openThrough(noisy, storage, repository.masterKey);
    const before = keys('snapshots');
    expect(await repairSnapshots(workOn(through), { forget: true, dryRun: false })).toEqual({
      changes: [],
      newSnapshotIds: [],
    });
    expect(reads).toBeGreaterThan(1);
    expect(keys('snapshots')).toEqual(before);
  });

  it('puts lists in order and removes snapshots that cannot be read', async () => {
    const writer = createPackWriter({ repository, signal: never, clock: systemClock });
    const plain = packTree([fileNode('b', '', []), fileNode('a', '', []), fileNode('a', '', [])].map(packNode));
    await addSealed(repository, writer, { type: 'tree', id: hashOf(plain), plain });
    await writer.finish();
    const { id: _, ...fields } = first;
    await saveSnapshot(repository, { ...fields, tree: toHex(hashOf(plain)) }, never);
    flip(`snapshots/${first.id}`, 20);
    expect((await repair()).changes.join('\n')).toMatch(/only "forget" can remove it/);
    await repair({ forget: true });
    expect(await problems()).toEqual([]);
    const all = await listSnapshots(repository, never);
    expect(all).toHaveLength(2);
    const odd = all.find(({ id }) => id !== second.id);
    expect(odd && (await readBack(repository, odd))).toEqual({ a: '', b: '' });
  });

  it('loses nothing when it dies at any call', async () => {
    await loseBlobs();
    await dieEverywhere(
      (dying) => repairSnapshots(workOn(dying), { forget: true, dryRun: false }),
      async (isDone) => {
        const all = await listSnapshots(repository, never);
        const origins = new Set(all.map(({ id, original }) => original ?? id));
        expect(origins).toEqual(new Set([first.id, second.id]));
        if (isDone) expect(new Set(await problems())).toEqual(new Set(['pack_unindexed']));
        if (isDone) expect(all).toHaveLength(2);
      },
    );
  });
});
