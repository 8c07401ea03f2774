/** Folders whose list is too long to lie in memory as a whole. */
import { beforeEach, expect, it, vi } from 'vitest';
import { systemClock } from '../../ports/clock.ts';
import { createMemoryStorage, type MemoryStorage } from '../../testing/memory-storage.ts';
import { hashOf, toHex } from '../format/blob-id.ts';
import type { Snapshot } from '../format/snapshot-file.ts';
import { packNode, packTree, type TreeNode } from '../format/tree-node.ts';
import { loadIndex } from '../load-index.ts';
import type { Repository } from '../open-repository.ts';
import { createPackWriter } from '../pack-writer.ts';
import { saveSnapshot } from '../snapshots.ts';
import { checkRepository } from './check-repository.ts';
import { copySnapshots } from './copy-snapshots.ts';
import { pruneExclusively } from './prune-repository.ts';
import { repairIndex } from './repair-index.ts';
import { repairSnapshots } from './repair-snapshots.ts';
import { addSealed, backup, fileNode, makeRepository, readBack, textOf, workOn } from './small-repository.ts';

const memory = vi.hoisted(() => ({ isShort: true, limit: 9 * 1024 * 1024 }));

/** Stands for the longest string or buffer that the runtime makes. */
vi.mock('../format/zstd.ts', async (importOriginal) => {
  const original = await importOriginal<typeof import('../format/zstd.ts')>();
  return {
    ...original,
    decompress(frame: Uint8Array, maxBytes?: number) {
      const plain = original.decompress(frame, maxBytes);
      if (memory.isShort && plain.byteLength > memory.limit) throw new RangeError('Invalid string length');
      return plain;
    },
  };
});

const never = new AbortController().signal;
const FILES = 24_000;

let storage: MemoryStorage;
let repository: Repository;
let snapshot: Snapshot;

/** A folder of 24,000 files in a folder; each thousandth file has content, each other thousandth is a folder. */
async function saveHuge(change: (nodes: TreeNode[]) => TreeNode[] = (nodes) => nodes): Promise<Snapshot> {
  const writer = createPackWriter({ repository, signal: never, clock: systemClock });
  const index = await loadIndex(repository, { signal: never });
  const save = async (type: 'data' | 'tree', plain: Buffer) => {
    const id = hashOf(plain);
    if (index.find(id, type) < 0) await addSealed(repository, writer, { type, id, plain });
    return id;
  };
  const nodes: TreeNode[] = [];
  for (let number = 0; number < FILES; number += 1) {
    const name = `${'long-name-'.repeat(24)}${100_000 + number}`;
    const text = number % 1000 === 0 ? `content ${number}` : '';
    const content = text === '' ? [] : [await save('data', Buffer.from(text))];
    if (number % 1000 !== 500) nodes.push(fileNode(name, text, content));
    else {
      const inner = packTree([packNode(fileNode('inner', text, [await save('data', Buffer.from(`inner ${number}`))]))]);
      nodes.push({ ...fileNode(name, '', []), type: 'dir', content: null, subtree: await save('tree', inner) });
    }
  }
  const huge = packTree(change(nodes).map(packNode));
  expect(huge.byteLength).toBeGreaterThan(memory.limit);
  const top = { ...fileNode('huge', '', []), type: 'dir', content: null, subtree: await save('tree', huge) } as const;
  const tree = toHex(await save('tree', packTree([packNode(top)])));
  await writer.finish();
  const { id, ...fields } = await backup(repository, {});
  await repository.removeFile('snapshots', id, never);
  return await saveSnapshot(repository, { ...fields, tree }, never);
}

async function contents(of: Repository, from: Pick<Snapshot, 'tree'>): Promise<Record<string, string>> {
  memory.isShort = false;
  const files = await readBack(of, from);
  memory.isShort = true;
  return files;
}

const check = async (read: 'structure' | 'all' = 'all') => {
  const { problems, ...rest } = await checkRepository(workOn(repository), read);
  return { ...rest, problems: problems.filter(({ code }) => code !== 'key_missing') };
};

beforeEach(async () => {
  storage = createMemoryStorage();
  repository = await makeRepository(storage);
  snapshot = await saveHuge();
});

it('a check reads it piece by piece', async () => {
  expect(await check()).toMatchObject({ problems: [], intactSnapshotIds: [snapshot.id] });
  expect(await checkRepository({ ...workOn(repository), threads: 2 }, 'structure')).toMatchObject({
    intactSnapshotIds: [snapshot.id],
  });
});

it('a check names what is lost in it, and what is wrong with its order', async () => {
  const index = await loadIndex(repository, { signal: never });
  const lost = toHex(index.packId(index.packOf(index.find(hashOf(Buffer.from('content 9000'))))));
  storage.objects.delete(`data/${lost.slice(0, 2)}/${lost}`);
  const { problems } = await check();
  expect(problems.flatMap(({ paths }) => paths)).toContainEqual(expect.stringMatching(/^\/huge\/.*109000$/));
  expect(problems.flatMap(({ snapshotIds }) => snapshotIds)).toContain(snapshot.id);
  // The last and the first item of two pieces as well.
  const wrong = await saveHuge((nodes) => nodes.reverse());
  const found = await check('structure');
  expect(found.problems).toContainEqual(expect.objectContaining({ code: 'tree_invalid', snapshotIds: [wrong.id] }));
});

it('a prune keeps what it needs, and packs it anew', async () => {
  const before = await contents(repository, snapshot);
  const packs = [...storage.objects.keys()].filter((key) => key.startsWith('data/'));
  const condemnedPacks = packs.map((key) => key.slice('data/00/'.length));
  const options = { maxUnusedShare: 0, maxRepackBytes: null, dryRun: false, condemnedPacks };
  const result = await pruneExclusively(workOn(repository), options);
  expect(result).toMatchObject({ packsRemoved: packs.length, packsRepacked: packs.length - 1 });
  expect(await contents(repository, snapshot)).toEqual(before);
  expect(await check()).toMatchObject({ problems: [], intactSnapshotIds: [snapshot.id] });
});

it('a copy takes it over', async () => {
  const to = await makeRepository(createMemoryStorage());
  const result = await copySnapshots({ from: repository, to, snapshotIds: null, signal: never });
  expect(result.copied).toHaveLength(1);
  expect(await contents(to, snapshot)).toEqual(await contents(repository, snapshot));
  expect((await checkRepository(workOn(to), 'all')).intactSnapshotIds).toEqual([result.copied[0]?.to]);
});

it('a repair rewrites it, without what is lost and in its order', async () => {
  const before = await contents(repository, snapshot);
  const names = Object.keys(before);
  const index = await loadIndex(repository, { signal: never });
  await repairIndex(workOn(repository), { dryRun: false, readAllPacks: true });
  expect(await repairSnapshots(workOn(repository), { forget: true, dryRun: false })).toMatchObject({ changes: [] });

  const disordered = await saveHuge((nodes) => [...nodes.slice(9000), ...nodes.slice(0, 9000)]);
  const lost = toHex(index.packId(index.packOf(index.find(hashOf(Buffer.from('content 9000'))))));
  storage.objects.delete(`data/${lost.slice(0, 2)}/${lost}`);
  await repairIndex(workOn(repository), { dryRun: false, readAllPacks: false });
  const { changes, newSnapshotIds } = await repairSnapshots(workOn(repository), { forget: true, dryRun: false });
  expect(changes).toContainEqual(expect.stringMatching(/109000: 0 of 12 bytes are left/));
  expect(changes).toContainEqual(expect.stringContaining('put in order'));
  expect(newSnapshotIds).toHaveLength(2);
  expect(newSnapshotIds).not.toContain(disordered.id);
  const result = await check('structure');
  expect(result).toMatchObject({ problems: [] });
  expect(result.intactSnapshotIds.sort()).toEqual([...newSnapshotIds].sort());
  for (const id of newSnapshotIds) {
    const { tree } = JSON.parse((await repository.readFile('snapshots', id, never)).toString()) as { tree: string };
    expect(Object.keys(await contents(repository, { tree }))).toEqual(names);
  }
});

it('reads what is small as before', async () => {
  const small = await backup(repository, { a: textOf('a') });
  expect((await check('structure')).intactSnapshotIds).toContain(small.id);
});
