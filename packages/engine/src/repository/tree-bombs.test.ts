/** Snapshots that somebody made up: a few trees that stand for more folders than there is time to look at. */
import { beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../ports/clock.ts';
import { createMemoryStorage } from '../testing/memory-storage.ts';
import type { BlobIndex } from './blob-index.ts';
import { type BlobReader, createBlobReader } from './blob-reader.ts';
import { diffTrees } from './browse/diff-trees.ts';
import { findItems } from './browse/find-items.ts';
import { parseItemPattern } from './browse/item-pattern.ts';
import { searchSnapshot } from './browse/search-snapshot.ts';
import { itemsBelow } from './browse/snapshot-items.ts';
import { TreeLoader } from './browse/tree-loader.ts';
import { fromHex, hashOf, toHex } from './format/blob-id.ts';
import { parseTree } from './format/parse-tree.ts';
import type { Snapshot } from './format/snapshot-file.ts';
import { packNode, packTree } from './format/tree-node.ts';
import { loadIndex } from './load-index.ts';
import { checkRepository } from './maintenance/check-repository.ts';
import { copySnapshots } from './maintenance/copy-snapshots.ts';
import { pruneExclusively } from './maintenance/prune-repository.ts';
import { repairSnapshots } from './maintenance/repair-snapshots.ts';
import { addSealed, fileNode, makeRepository, workOn } from './maintenance/small-repository.ts';
import type { Repository } from './open-repository.ts';
import { createPackWriter, type PackWriter } from './pack-writer.ts';
import { TreeSource } from './restore/tree-source.ts';
import { walkSnapshot } from './restore/walk-snapshot.ts';
import { saveSnapshot } from './snapshots.ts';
import { MAX_PATH_LENGTH } from './walk-budget.ts';

const signal = new AbortController().signal;
/** Twice 2^LEVELS folders. */
const LEVELS = 40;
/** Folders in each other; a walk that calls itself for each would need more stack than there is. */
const CHAIN = 12_000;

const folderNode = (name: string, subtree: Uint8Array) =>
  packNode({ ...fileNode(name, '', []), type: 'dir', content: null, subtree });

async function saveTree(repository: Repository, writer: PackWriter, nodes: string[]): Promise<Uint8Array> {
  const plain = packTree(nodes);
  const id = hashOf(plain);
  await addSealed(repository, writer, { type: 'tree', id, plain });
  return id;
}

/** `levels` trees, each of which names the one below by these names. */
async function saveBomb(repository: Repository, file: string, { levels, names }: { levels: number; names: string[] }) {
  const writer = createPackWriter({ repository, signal, clock: systemClock });
  let id = await saveTree(repository, writer, [packNode(fileNode(file, '', []))]);
  for (let level = 0; level < levels; level += 1) {
    const below = id;
    id = await saveTree(
      repository,
      writer,
      names.map((name) => folderNode(name, below)),
    );
  }
  await writer.finish();
  return await saveSnapshot(
    repository,
    {
      ...{ time: '2026-01-02T03:04:05Z', parent: null, tree: toHex(id), paths: ['/'], hostname: 'h', username: 'u' },
      ...{ uid: 0, gid: 0, excludes: [], tags: [], original: null, programVersion: '', summary: null },
    },
    signal,
  );
}

interface Opened {
  readonly repository: Repository;
  readonly index: BlobIndex;
  readonly reader: BlobReader;
  readonly loader: TreeLoader;
}

async function open(repository: Repository): Promise<Opened> {
  const index = await loadIndex(repository, { signal });
  const reader = createBlobReader({ repository, index, signal });
  return { repository, index, reader, loader: new TreeLoader(reader) };
}

const endless = { code: 'SNAPSHOT_ENDLESS' };
const top = ({ tree }: Snapshot) => fromHex(tree);
const query = { offset: 0, limit: 1000, isTimeUp: () => false, signal };

async function count(items: AsyncIterable<unknown>): Promise<number> {
  let number = 0;
  for await (const _ of items) number += 1;
  return number;
}

describe('a million million folders out of forty trees', () => {
  let opened: Opened;
  let bomb: Snapshot;
  let other: Snapshot;

  beforeAll(async () => {
    const repository = await makeRepository(createMemoryStorage());
    bomb = await saveBomb(repository, 'file', { levels: LEVELS, names: ['a', 'b'] });
    other = await saveBomb(repository, 'other', { levels: LEVELS, names: ['a', 'b'] });
    opened = await open(repository);
  });

  it('are checked, pruned, repaired and copied as the forty that they are', async () => {
    const { repository } = opened;
    const work = workOn(repository);
    const ids = [bomb.id, other.id].sort();
    expect((await checkRepository(work, 'all')).intactSnapshotIds.sort()).toEqual(ids);
    const prune = { maxUnusedShare: 0, maxRepackBytes: null, dryRun: true, condemnedPacks: [] };
    expect(await pruneExclusively(work, prune)).toMatchObject({ packsRemoved: 0 });
    expect(await repairSnapshots(work, { forget: false, dryRun: false })).toEqual({ changes: [], newSnapshotIds: [] });
    const to = await makeRepository(createMemoryStorage());
    const copied = await copySnapshots({ from: repository, to, snapshotIds: [bomb.id], signal });
    expect(copied.blobsCopied).toBe(LEVELS + 1);
  });

  it('are listed, searched, compared and restored only so far', { timeout: 120_000 }, async () => {
    const { loader, reader } = opened;
    const item = { path: '', node: null, treeId: top(bomb) };
    await expect(count(itemsBelow(loader, item))).rejects.toMatchObject(endless);
    await expect(searchSnapshot(loader, top(bomb), { ...query, search: 'nothing' })).rejects.toMatchObject(endless);
    const find = { snapshots: [{ id: bomb.id, tree: top(bomb) }], pattern: parseItemPattern('nothing'), limit: 10 };
    await expect(findItems(loader, find)).rejects.toMatchObject(endless);
    const pair = { path: '', before: top(bomb), after: top(other) };
    const listener = { onChange: () => {}, onUnread: () => expect.fail('nothing is damaged') };
    await expect(diffTrees(loader, pair, listener)).rejects.toMatchObject(endless);
    const onLostTree = () => expect.fail('nothing is damaged');
    const options = { trees: new TreeSource(reader), snapshot: bomb, selection: null, onLostTree };
    await expect(count(walkSnapshot(options))).rejects.toMatchObject(endless);
  });

  it('are found where a path leads to few of them', async () => {
    const { loader } = opened;
    const path = '/a/b'.repeat(LEVELS / 2);
    const pattern = parseItemPattern(`${path}/file`);
    const found = await findItems(loader, { snapshots: [{ id: 'x', tree: top(bomb) }], pattern, limit: 10 });
    expect(found.hits.map((hit) => hit.path)).toEqual([`${path}/file`]);
  });
});

it('folders of thousands of equal ones are no such thing', async () => {
  const repository = await makeRepository(createMemoryStorage());
  const writer = createPackWriter({ repository, signal, clock: systemClock });
  const empty = await saveTree(repository, writer, []);
  const names = Array.from({ length: 1500 }, (_, number) => String(100_000 + number));
  const many = await saveTree(
    repository,
    writer,
    names.map((name) => folderNode(name, empty)),
  );
  const tops = Array.from({ length: 12 }, (_, number) => folderNode(String.fromCharCode(97 + number), many));
  const root = await saveTree(repository, writer, tops);
  await writer.finish();
  const { loader } = await open(repository);
  expect(await count(itemsBelow(loader, { path: '', node: null, treeId: root }))).toBe(12 * 1501);
});

describe('folders in each other, deeper than any stack', () => {
  let opened: Opened;
  let chain: Snapshot;

  beforeAll(async () => {
    const repository = await makeRepository(createMemoryStorage());
    chain = await saveBomb(repository, 'file', { levels: CHAIN, names: ['a'] });
    opened = await open(repository);
  });

  it('are checked, pruned, repaired and copied', async () => {
    const { repository } = opened;
    const work = workOn(repository);
    expect((await checkRepository(work, 'structure')).intactSnapshotIds).toEqual([chain.id]);
    const prune = { maxUnusedShare: 0, maxRepackBytes: null, dryRun: true, condemnedPacks: [] };
    expect(await pruneExclusively(work, prune)).toMatchObject({ packsRemoved: 0 });
    expect(await repairSnapshots(work, { forget: false, dryRun: true })).toEqual({ changes: [], newSnapshotIds: [] });
    const to = await makeRepository(createMemoryStorage());
    expect((await copySnapshots({ from: repository, to, snapshotIds: null, signal })).blobsCopied).toBe(CHAIN + 1);
  });

  it('are listed, searched, compared and restored', async () => {
    const walks = await walkAll(opened, chain);
    expect(walks).toEqual({
      listed: CHAIN + 1,
      searched: 1,
      found: 1,
      unread: [],
      changes: CHAIN + 1,
      restored: CHAIN + 1,
    });
  });

  it('are left out where a path is longer than any system has, and told', async () => {
    const repository = await makeRepository(createMemoryStorage());
    const longer = await saveBomb(repository, 'file', { levels: 600, names: ['n'.repeat(249)] });
    const { reader, loader } = await open(repository);
    const tooDeep = { code: 'REPOSITORY_DAMAGED', params: { reason: expect.stringContaining('lie in each other') } };
    const item = { path: '', node: null, treeId: top(longer) };
    await expect(count(itemsBelow(loader, item))).rejects.toMatchObject(tooDeep);
    await expect(searchSnapshot(loader, top(longer), { ...query, search: 'nothing' })).rejects.toMatchObject(tooDeep);
    const find = { snapshots: [{ id: longer.id, tree: top(longer) }], pattern: parseItemPattern('file'), limit: 10 };
    expect(await findItems(loader, find)).toMatchObject({ hits: [], unread: [expect.anything()] });
    const unread: string[] = [];
    const listener = { onChange: () => {}, onUnread: ({ message }: { message: string }) => unread.push(message) };
    await diffTrees(loader, { path: '', before: null, after: top(longer) }, listener);
    expect(unread).toHaveLength(1);
    const lost: string[] = [];
    const onLostTree = (path: string) => lost.push(path);
    const options = { trees: new TreeSource(reader), snapshot: longer, selection: null, onLostTree };
    expect(await count(walkSnapshot(options))).toBe(MAX_PATH_LENGTH / 250 + 1);
    expect(lost).toHaveLength(1);
  });
});

async function walkAll({ loader, reader }: Opened, snapshot: Snapshot) {
  const listed = await count(itemsBelow(loader, { path: '', node: null, treeId: top(snapshot) }));
  const { total } = await searchSnapshot(loader, top(snapshot), { ...query, search: 'file' });
  const find = { snapshots: [{ id: snapshot.id, tree: top(snapshot) }], pattern: parseItemPattern('file'), limit: 10 };
  const { hits, unread } = await findItems(loader, find);
  let changes = 0;
  const listener = { onChange: () => (changes += 1), onUnread: () => expect.fail('nothing is damaged') };
  await diffTrees(loader, { path: '', before: null, after: top(snapshot) }, listener);
  const onLostTree = () => expect.fail('nothing is lost');
  const options = { trees: new TreeSource(reader), snapshot, selection: null, onLostTree };
  const restored = await count(walkSnapshot(options));
  return { listed, searched: total, found: hits.length, unread, changes, restored };
}

it('values in each other inside a tree do not use up the stack', () => {
  const deep = `${'['.repeat(1_000_000)}${']'.repeat(1_000_000)}`;
  for (const json of [`{"x":${deep},"nodes":[]}`, `{"nodes":[{"name":"a","x":${deep}}]}`]) {
    expect(() => parseTree(Buffer.from(json))).toThrow(expect.objectContaining({ code: 'REPOSITORY_DAMAGED' }));
  }
});
