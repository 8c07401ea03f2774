import type { AppError } from '@backupx/contracts/errors';
import { describe, expect, it } from 'vitest';
import { createMemoryStorage, type MemoryStorage } from '../testing/memory-storage.ts';
import type { Snapshot } from './format/snapshot-file.ts';
import { initRepository } from './init-repository.ts';
import type { Repository } from './open-repository.ts';
import { findSnapshot, listSnapshots, newestSnapshot, saveSnapshot, snapshotInfo } from './snapshots.ts';

const signal = new AbortController().signal;
const base: Omit<Snapshot, 'id'> = {
  time: '2026-01-01T00:00:00Z',
  tree: 'ab'.repeat(32),
  ...{ parent: null, original: null, paths: ['/srv'], hostname: 'db1', username: 'root', uid: 0, gid: 0 },
  ...{ excludes: [], tags: ['daily'], programVersion: 'backupx 1.0', summary: null },
};

async function create(): Promise<{ storage: MemoryStorage; repository: Repository }> {
  const storage = createMemoryStorage();
  const options = { password: 'x', hostname: '', username: '', created: base.time, cost: { N: 2, r: 1, p: 1 } };
  const repository = await initRepository({ storage, prefix: '', label: 'r' }, options, signal);
  return { storage, repository };
}

describe('listSnapshots', () => {
  it('gives the oldest first, by true time whatever the offset', async () => {
    const { repository } = await create();
    const times = ['2026-01-01T12:00:00+09:00', '2026-01-01T04:00:00.000000002Z', '2026-01-01T04:00:00.000000001Z'];
    for (const time of times) await saveSnapshot(repository, { ...base, time }, signal);
    const listed = await listSnapshots(repository, signal);
    expect(listed.map((snapshot) => snapshot.time)).toEqual([times[0], times[2], times[1]]);
    expect(await listSnapshots(repository, signal)).toEqual(listed);
  });

  it('has what several have in common once', async () => {
    const { repository } = await create();
    const own = { paths: ['/a', '/b'], tags: ['x'], excludes: ['*.tmp'] };
    const others = [{}, { ...own }, { ...own, paths: ['/a,/b'] }, { ...own, tags: [] }, { ...own, hostname: 'other' }];
    const saved = [];
    for (const [uid, other] of others.entries())
      saved.push(await saveSnapshot(repository, { ...base, uid, ...other }, signal));
    const listed = (await listSnapshots(repository, signal)).sort((a, b) => a.uid - b.uid);
    expect(listed).toEqual(saved);
    const [, second, , fourth, fifth] = listed;
    expect(second?.paths).toBe(fourth?.paths);
    expect(second?.tags).toBe(fifth?.tags);
    expect(snapshotInfo(second as Snapshot).paths).toBe(snapshotInfo(fifth as Snapshot).paths);
  });

  it('of many reads each once', async () => {
    const { repository, storage } = await create();
    const ids = new Set<string>();
    for (let uid = 0; uid < 40; uid += 1) ids.add((await saveSnapshot(repository, { ...base, uid }, signal)).id);
    let reads = 0;
    const get = storage.get.bind(storage);
    storage.get = (key, options) => {
      reads += 1;
      return get(key, options);
    };
    expect(new Set((await listSnapshots(repository, signal)).map((snapshot) => snapshot.id))).toEqual(ids);
    expect(reads).toBe(40);
  });

  it('throws at a damaged one, or tells of it and goes on', async () => {
    const { repository, storage } = await create();
    const good = await saveSnapshot(repository, base, signal);
    const bad = await saveSnapshot(repository, { ...base, uid: 1 }, signal);
    storage.objects.set(`snapshots/${bad.id}`, new Uint8Array(50));
    storage.objects.set('snapshots/notes.txt', new Uint8Array(50));
    await expect(listSnapshots(repository, signal)).rejects.toMatchObject({ code: 'REPOSITORY_DAMAGED' });
    const heard: [string, AppError][] = [];
    const listed = await listSnapshots(repository, signal, (name, error) => heard.push([name, error]));
    expect(listed).toEqual([good]);
    expect(heard).toEqual([[bad.id, expect.objectContaining({ code: 'REPOSITORY_DAMAGED' })]]);
  });

  it('does not mind one that goes while it reads', async () => {
    const { repository, storage } = await create();
    const first = await saveSnapshot(repository, base, signal);
    await saveSnapshot(repository, { ...base, uid: 1 }, signal);
    const { list } = storage;
    storage.list = async function* (prefix, listSignal) {
      yield* list(prefix, listSignal);
      storage.objects.delete(`snapshots/${first.id}`);
    };
    expect(await listSnapshots(repository, signal)).toHaveLength(1);
  });

  it('passes on what else the storage says', async () => {
    const { repository } = await create();
    await saveSnapshot(repository, base, signal);
    await expect(listSnapshots(repository, AbortSignal.abort(), () => {})).rejects.toMatchObject({ code: 'CANCELLED' });
  });
});

describe('newestSnapshot', () => {
  it('is the last of those wanted, by true time and then by id', async () => {
    const { repository } = await create();
    const save = (time: string, uid: number) => saveSnapshot(repository, { ...base, time, uid }, signal);
    await save('2026-01-01T12:00:00+09:00', 1);
    const later = [await save('2026-01-01T04:00:00Z', 1), await save('2026-01-01T05:00:00+01:00', 2)];
    const [, last] = later.sort((a, b) => (a.id < b.id ? -1 : 1));
    expect(await newestSnapshot(repository, () => true, signal)).toEqual(last);
    expect(await newestSnapshot(repository, ({ uid }) => uid === 2, signal)).toEqual(
      later.find(({ uid }) => uid === 2),
    );
    expect(await newestSnapshot(repository, ({ uid }) => uid === 3, signal)).toBeNull();
  });
});

describe('findSnapshot', () => {
  it('knows ids, their beginnings, and the latest', async () => {
    const { repository } = await create();
    const saved: Snapshot[] = [];
    for (let hour = 10; hour < 28; hour += 1) {
      const time = new Date(Date.UTC(2026, 0, 1, hour)).toISOString();
      saved.push(await saveSnapshot(repository, { ...base, time }, signal));
    }
    expect(await findSnapshot(repository, 'latest', signal)).toEqual(saved.at(-1));
    const [first] = saved;
    expect(await findSnapshot(repository, first?.id ?? '', signal)).toEqual(first);
    expect(await findSnapshot(repository, first?.id.slice(0, 12).toUpperCase() ?? '', signal)).toEqual(first);
    // Of 18 ids two begin with the same digit.
    const digits = saved.map((snapshot) => snapshot.id.slice(0, 1));
    const twice = digits.find((digit, index) => digits.indexOf(digit) !== index) ?? '';
    await expect(findSnapshot(repository, twice, signal)).rejects.toMatchObject({ code: 'SNAPSHOT_AMBIGUOUS' });
  });

  it.each(['latest', 'ab', 'ab'.repeat(32), '', '../config', 'xyz', 'ab'.repeat(33)])('finds no %s', async (text) => {
    const { repository } = await create();
    await expect(findSnapshot(repository, text, signal)).rejects.toMatchObject({
      code: 'SNAPSHOT_NOT_FOUND',
      params: { id: text },
    });
  });
});

describe('saveSnapshot', () => {
  it('notices when the storage lost it', async () => {
    const { repository, storage } = await create();
    storage.put = async () => {};
    await expect(saveSnapshot(repository, base, signal)).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
  });
});

describe('snapshotInfo', () => {
  it('shows the figures of the summary', () => {
    const summary = {
      ...{ backupStart: base.time, backupEnd: base.time, filesNew: 1, filesChanged: 2, filesUnmodified: 3 },
      ...{ dirsNew: 4, dirsChanged: 5, dirsUnmodified: 6, dataBlobs: 7, treeBlobs: 8, dataAdded: 9 },
      ...{ dataAddedPacked: 10, totalFilesProcessed: 11, totalBytesProcessed: 12 },
    };
    expect(snapshotInfo({ id: 'cd', ...base, summary })).toEqual({
      ...{ id: 'cd', time: base.time, hostname: 'db1', username: 'root', paths: ['/srv'], tags: ['daily'] },
      ...{ tree: base.tree, parent: null, programVersion: 'backupx 1.0' },
      summary: {
        ...{ filesNew: 1, filesChanged: 2, filesUnmodified: 3, bytesAdded: 9, bytesStored: 10 },
        ...{ filesProcessed: 11, bytesProcessed: 12 },
      },
    });
    expect(snapshotInfo({ id: 'cd', ...base }).summary).toBeNull();
  });
});
