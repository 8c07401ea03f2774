import { AppError } from '@backupx/contracts/errors';
import { beforeEach, expect, it } from 'vitest';
import { systemClock } from '../../ports/clock.ts';
import { createMemoryStorage, type MemoryStorage } from '../../testing/memory-storage.ts';
import { fromHex, hashOf, toHex } from '../format/blob-id.ts';
import { createKeyFile } from '../format/key-file.ts';
import { createMasterKey } from '../format/master-key.ts';
import type { Snapshot } from '../format/snapshot-file.ts';
import { packNode, packTree } from '../format/tree-node.ts';
import { loadIndex } from '../load-index.ts';
import { openRepository, type Repository, type RepositoryUnlock } from '../open-repository.ts';
import { createPackWriter } from '../pack-writer.ts';
import { saveSnapshot } from '../snapshots.ts';
import type { ReadScope } from './check-packs.ts';
import { checkRepository } from './check-repository.ts';
import { openThrough } from './dying-storage.ts';
import { findOpenFault } from './find-open-fault.ts';
import { addSealed, backup, fileNode, makeRepository, textOf, workOn } from './small-repository.ts';

const never = new AbortController().signal;
const PATHS = ['a.txt', 'dir/b.txt', 'dir/deep/c.txt', 'same.txt'];

let storage: MemoryStorage;
let repository: Repository;
let first: Snapshot;
let second: Snapshot;

beforeEach(async () => {
  storage = createMemoryStorage();
  repository = await makeRepository(storage);
  const masterKey = repository.masterKey;
  const cost = { N: 2, r: 1, p: 1 };
  const key = await createKeyFile({ password: 'x', masterKey, username: 'u', hostname: 'h', created: '', cost });
  storage.objects.set(`keys/${toHex(hashOf(key))}`, key);
  const files = Object.fromEntries(PATHS.map((path) => [path, textOf(path)]));
  first = await backup(repository, files);
  second = await backup(repository, { ...files, 'a.txt': textOf('a, changed') });
});

const check = (read: ReadScope = 'all') => checkRepository(workOn(repository), read);
const keys = (folder: string) => [...storage.objects.keys()].filter((key) => key.startsWith(`${folder}/`)).sort();

function damage(key: string, change: (bytes: Uint8Array) => Uint8Array): void {
  storage.objects.set(key, change(Uint8Array.from(storage.objects.get(key) ?? [])));
}

function flip(key: string, at: number): void {
  damage(key, (bytes) => {
    const place = at < 0 ? bytes.length + at : at;
    bytes[place] = (bytes[place] ?? 0) ^ 0x10;
    return bytes;
  });
}

/** The pack of the first backup that holds most. */
function largestPack(): string {
  const size = (key: string) => storage.objects.get(key)?.byteLength ?? 0;
  return keys('data').sort((a, b) => size(b) - size(a))[0] ?? '';
}

it('finds nothing in a whole repository', async () => {
  const result = await check();
  expect(result).toMatchObject({ status: 'clean', problems: [], problemCount: 0, snapshotCount: 2 });
  expect(result.intactSnapshotIds).toEqual([first.id, second.id].sort((a, b) => (a < b ? -1 : 1)));
  const stored = keys('data').reduce((sum, key) => sum + (storage.objects.get(key)?.byteLength ?? 0), 0);
  expect(result.bytesRead).toBe(stored);
  expect((await check('structure')).bytesRead).toBe(0);
});

it('does not call damaged what others may have removed since its lock was lost', async () => {
  storage.objects.delete(largestPack());
  const lost = new AppError('REPOSITORY_LOCK_LOST', { reason: 'others took it' });
  repository.assertLocked = () => Promise.reject(lost);
  await expect(check()).rejects.toBe(lost);
});

it('finds every flipped bit of a pack, and names what is lost', async () => {
  const pack = largestPack();
  const size = storage.objects.get(pack)?.byteLength ?? 0;
  const whole = storage.objects.get(pack) ?? new Uint8Array();
  const affected = new Set<string>();
  for (let at = 0; at < size; at += 13) {
    flip(pack, at);
    const result = await check();
    expect(result.status, `byte ${at}`).toBe('damaged');
    const [problem] = result.problems;
    expect(problem).toMatchObject({ code: 'pack_damaged', object: pack, level: 'error' });
    for (const path of problem?.paths ?? []) affected.add(path);
    const isIntact = result.intactSnapshotIds.length === 2;
    expect((problem?.snapshotIds.length ?? 0) > 0).toBe(!isIntact);
    expect(problem?.message.includes('Damaged blobs')).toBe(!isIntact);
    storage.objects.set(pack, whole);
  }
  expect(affected.size).toBeGreaterThan(0);
  for (const path of affected) expect([...PATHS, 'dir/', 'dir/deep/', ''].map((text) => `/${text}`)).toContain(path);
});

it('knows a damaged header from damaged blobs', async () => {
  flip(largestPack(), -10);
  const result = await check();
  expect(result.problems[0]?.message).toMatch(/list of blobs cannot be read.*All blobs in it are whole/);
  expect(result.intactSnapshotIds).toHaveLength(2);
  expect((await check('structure')).status).toBe('clean');
});

it('names the files of a missing pack, in both snapshots that need them', async () => {
  const pack = largestPack();
  storage.objects.delete(pack);
  const result = await check('structure');
  expect(result).toMatchObject({ status: 'damaged', problemCount: 1 });
  expect(result.problems[0]).toMatchObject({ code: 'pack_missing', object: pack });
  expect(result.problems[0]?.paths.length).toBeGreaterThan(0);
  const lost = new Set(result.problems[0]?.snapshotIds);
  expect(result.intactSnapshotIds).toEqual([first.id, second.id].filter((id) => !lost.has(id)));
});

it('says what still restores out of a truncated pack', async () => {
  const pack = largestPack();
  damage(pack, (bytes) => bytes.subarray(0, 200));
  const result = await check('structure');
  expect(result.problems[0]).toMatchObject({ code: 'pack_wrong_size', object: pack });
  expect(result.problems[0]?.message).toMatch(/Damaged blobs/);
});

it('says only so much about packs full of folders that cannot be read', async () => {
  const files = Object.fromEntries(Array.from({ length: 300 }, (_, n) => [`${n}/f`, `${n}`]));
  const { tree: root } = await backup(repository, files);
  const index = await loadIndex(repository, { signal: never });
  for (let entry = 0; entry < index.count; entry += 1) {
    if (index.typeOf(entry) === 'data' || toHex(index.idOf(entry)) === root) continue;
    flip(repository.key('data', toHex(index.packId(index.packOf(entry)))), index.offsetOf(entry) + 20);
  }
  const { problems } = await check('structure');
  expect(Math.max(...problems.map(({ paths }) => paths.length))).toBe(100);
  expect(Math.max(...problems.map(({ message }) => message.length))).toBeLessThan(5000);
});

it('takes folders that the storage cannot give for damaged, not for a reason to stop', async () => {
  const { tree: root } = await backup(repository, { 'lost/f': '1', 'kept/f': '2' });
  const index = await loadIndex(repository, { signal: never });
  const pack = toHex(index.packId(index.packOf(index.find(fromHex(root), 'tree'))));
  const key = repository.key('data', pack);
  const failing: MemoryStorage = {
    ...storage,
    get(wanted, options) {
      if (wanted === key) throw new AppError('STORAGE_FAILED', { reason: 'EIO: i/o error, read' });
      return storage.get(wanted, options);
    },
  };
  const through = await openThrough(failing, storage, repository.masterKey);
  const result = await checkRepository(workOn(through), 'structure');
  expect(result).toMatchObject({ status: 'damaged', problems: [{ code: 'pack_damaged', object: key }] });
  expect(result.problems[0]?.message).toContain('EIO');
  expect(result.intactSnapshotIds).toEqual(expect.arrayContaining([first.id, second.id]));
});

it('finds swapped packs', async () => {
  const [one = '', two = ''] = keys('data');
  const bytes = storage.objects.get(one) ?? new Uint8Array();
  storage.objects.set(one, storage.objects.get(two) ?? new Uint8Array());
  storage.objects.set(two, bytes);
  const objects = (await check()).problems.map(({ object }) => object);
  expect(objects).toEqual(expect.arrayContaining([one, two]));
});

it('finds damage in the index: a flipped bit, and blobs that no other file names', async () => {
  const [index = ''] = keys('index');
  flip(index, 30);
  const result = await check('structure');
  expect(result.problems.map(({ code }) => code)).toEqual(
    expect.arrayContaining(['index_damaged', 'blob_missing', 'pack_unindexed']),
  );
  expect(result.problems.find(({ code }) => code === 'index_damaged')?.object).toBe(index);
});

it('finds a missing index by the blobs that are in none', async () => {
  for (const index of keys('index')) storage.objects.delete(index);
  const result = await check('structure');
  const missing = result.problems.filter(({ code }) => code === 'blob_missing');
  for (const { id, tree } of [first, second]) {
    expect(missing).toContainEqual(expect.objectContaining({ object: tree, snapshotIds: [id], paths: ['/'] }));
  }
  expect(result.intactSnapshotIds).toEqual([]);
});

it('finds a damaged snapshot and a damaged key', async () => {
  flip(`snapshots/${first.id}`, 20);
  flip(keys('keys')[0] ?? '', 20);
  const result = await check('structure');
  expect(result.problems.map(({ code, object }) => `${code} ${object}`)).toEqual([
    `key_damaged ${keys('keys')[0]}`,
    'key_missing keys',
    `snapshot_damaged snapshots/${first.id}`,
  ]);
  expect(result).toMatchObject({ snapshotCount: 2, intactSnapshotIds: [second.id] });
});

it('hints at waste and at what does not belong there', async () => {
  storage.objects.set('data/ab/rubbish', new Uint8Array(3));
  storage.objects.set('index/rubbish', new Uint8Array(3));
  storage.objects.set(`data/${'ab'}/${'ab'.repeat(32)}`, new Uint8Array(3));
  // The same index under another name: other initial vectors, the same content.
  const [index = ''] = keys('index').filter((key) => key.length === 70);
  const json = await repository.readFile('index', index.slice(6), never);
  await repository.saveFile('index', json, never);
  const result = await check();
  expect(result.status).toBe('clean');
  expect(new Set(result.problems.map(({ code, level }) => `${level} ${code}`))).toEqual(
    new Set(['hint file_foreign', 'hint pack_unindexed', 'hint index_repeated']),
  );
  expect(result.intactSnapshotIds).toHaveLength(2);
});

it('finds lists of folders that are out of order, and files without parts', async () => {
  const writer = createPackWriter({ repository, signal: never, clock: systemClock });
  const nodes = [fileNode('b', '', []), fileNode('a', '', []), fileNode('a', '', [])].map(packNode);
  const plain = Buffer.from(packTree(nodes).toString().replace('"content":[]', '"content":null'));
  await addSealed(repository, writer, { type: 'tree', id: hashOf(plain), plain });
  await writer.finish();
  const { id: _, ...fields } = first;
  const odd = await saveSnapshot(repository, { ...fields, tree: toHex(hashOf(plain)) }, never);
  const result = await check('structure');
  expect(result.problems).toMatchObject([
    { code: 'tree_invalid', object: odd.tree, paths: ['/'], snapshotIds: [odd.id] },
  ]);
  expect(result.problems[0]?.message).toMatch(/"b" is a file without.*"a" is out of order; "a" is there twice/);
  expect(result.intactSnapshotIds).toHaveLength(2);
});

it('says why a repository cannot be opened when that is damage, and nothing else', async () => {
  const { place, masterKey } = repository;
  const faultsOf = async (unlock: RepositoryUnlock) => {
    const error: unknown = await openRepository(place, unlock, never).then(
      () => null,
      (failure: unknown) => failure,
    );
    const { problems } = await findOpenFault(place, { unlock, error, signal: never });
    return problems.map(({ code, object }) => `${code} ${object}`);
  };
  await expect(faultsOf({ password: 'wrong' })).rejects.toMatchObject({ code: 'REPOSITORY_WRONG_PASSWORD' });
  await expect(faultsOf({ masterKey: createMasterKey() })).rejects.toMatchObject({ code: 'REPOSITORY_WRONG_PASSWORD' });
  const [key = ''] = keys('keys');
  flip(key, -30);
  expect(await faultsOf({ password: 'x' })).toEqual([`key_damaged ${key}`]);
  flip(key, -30);
  flip('config', 20);
  expect(await faultsOf({ password: 'x' })).toEqual(['config_damaged config']);
  expect(await faultsOf({ masterKey })).toEqual(['config_damaged config']);
  storage.objects.delete('config');
  expect(await faultsOf({ masterKey })).toEqual(['config_damaged config']);
  storage.objects.clear();
  await expect(faultsOf({ masterKey })).rejects.toMatchObject({ code: 'REPOSITORY_NOT_FOUND' });
});

it('reads every pack once in all parts of a rotation', async () => {
  let total = 0;
  for (let n = 1; n <= 5; n += 1) total += (await check({ n, of: 5 })).bytesRead;
  expect(total).toBe((await check('all')).bytesRead);
  await expect(check({ n: 3, of: 2 })).rejects.toThrow();
});
