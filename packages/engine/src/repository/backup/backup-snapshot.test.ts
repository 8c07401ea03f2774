import { randomBytes } from 'node:crypto';
import {
  appendFileSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { AppError } from '@backupx/contracts/errors';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../ports/clock.ts';
import { createMemoryStorage, type MemoryStorage } from '../../testing/memory-storage.ts';
import { type BlobReader, createBlobReader } from '../blob-reader.ts';
import { fromHex, toHex } from '../format/blob-id.ts';
import { initRepository } from '../init-repository.ts';
import { loadIndex } from '../load-index.ts';
import type { Repository } from '../open-repository.ts';
import { listSnapshots } from '../snapshots.ts';
import { backupSnapshot, type SnapshotBackupOptions } from './backup-snapshot.ts';

const readersUrl = new URL('../../sources/readers.ts', import.meta.url).href;
const never = new AbortController().signal;

let folder: string;
let storage: MemoryStorage;
let repository: Repository;
let logs: string[];

beforeEach(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'backupx-snapshot-'));
  storage = createMemoryStorage();
  const account = { hostname: 'h', username: 'u', created: '2026-01-01T00:00:00Z', cost: { N: 1024, r: 8, p: 1 } };
  const place = { storage, prefix: '', label: 'memory' };
  repository = await initRepository(place, { ...account, password: 'p' }, never);
  logs = [];
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function run(more: Partial<SnapshotBackupOptions> = {}) {
  return backupSnapshot({
    repository,
    source: { type: 'file', config: { paths: [folder], excludePatterns: [], oneFileSystem: false } },
    readersUrl,
    tempDir: folder,
    paths: [folder],
    excludes: [],
    hostname: 'h',
    tags: ['t'],
    programVersion: 'test',
    parentId: null,
    condemnedPacks: [],
    dryRun: false,
    parallelism: 2,
    signal: never,
    clock: systemClock,
    events: {
      onProblem: (problem) => logs.push(`${problem.code} ${problem.path}`),
      onLog: (level, message) => logs.push(`${level}: ${message}`),
      onTotals() {},
      onProgress() {},
      onStored() {},
    },
    ...more,
  });
}

/** Every file below a tree with its content, folders and links as text. */
async function contentsOf(tree: string): Promise<Map<string, string>> {
  const index = await loadIndex(repository, { signal: never });
  const reader = createBlobReader({ repository, index, signal: never });
  const found = new Map<string, string>();
  await collect(reader, { id: fromHex(tree), path: '', found });
  return found;
}

interface Collecting {
  readonly id: Uint8Array;
  readonly path: string;
  readonly found: Map<string, string>;
}

async function collect(reader: BlobReader, { id, path: at, found }: Collecting): Promise<void> {
  for (const node of await reader.readTree(id)) {
    const itemPath = `${at}/${node.name.toString()}`;
    if (node.subtree) {
      found.set(itemPath, 'folder');
      await collect(reader, { id: node.subtree, path: itemPath, found });
    } else if (node.linkTarget) found.set(itemPath, `-> ${node.linkTarget.toString()}`);
    else {
      const blobs = await Promise.all((node.content ?? []).map((blob) => reader.read(blob, 'data')));
      found.set(itemPath, `${node.size} ${Buffer.concat(blobs).toString('base64')}`);
    }
  }
}

/** Tree of the folder that is backed up. Those above it change with whatever else happens in the system's temp folder. */
async function ownTree(root: string): Promise<string> {
  const index = await loadIndex(repository, { signal: never });
  const reader = createBlobReader({ repository, index, signal: never });
  let id: Uint8Array = fromHex(root);
  for (const name of folder.split('/').filter(Boolean)) {
    const node = (await reader.readTree(id)).find((item) => item.name.toString() === name);
    if (!node?.subtree) throw new Error(`there is no ${name}`);
    id = node.subtree;
  }
  return toHex(id);
}

const entry = (name: string) => path.join(folder, name);
/** Files for paths that lie in one another, or beside one another by their names. */
const FILES = [
  'www/precious',
  'www/deep/e',
  'www/deep/er/d',
  'www/deep/er.old',
  'www/uploads/c',
  'www/z',
  'www-x/a',
  'www.old/b',
];
const stored = (bytes: Buffer) => `${bytes.length} ${bytes.toString('base64')}`;

describe('backupSnapshot', () => {
  it.each([
    [['www', 'www.old', 'www/uploads']],
    [['www', 'www/deep/er']],
    [['www/deep/er', 'www.old', 'www', 'www/deep']],
    [['www-x', 'www/uploads', 'www/deep/er', 'www']],
    [['.', 'www/deep/er/d', 'www.old']],
    [['www/deep/er', 'www/uploads', 'www-x']],
    [['www', 'link/er', 'www.old']],
    [['www/link/er', 'www', 'www.old']],
  ])('keeps all that is in %j, each in its place', async (names) => {
    for (const name of FILES) {
      mkdirSync(path.dirname(entry(name)), { recursive: true });
      writeFileSync(entry(name), name);
    }
    symlinkSync('deep', entry('www/link'));
    symlinkSync('www/deep', entry('link'));
    const paths = names.map(entry);
    const source = { type: 'file', config: { paths, excludePatterns: [], oneFileSystem: false } };
    const first = await run({ paths, source });
    const expected = FILES.filter((name) => names.some((root) => root === '.' || `${name}/`.startsWith(`${root}/`)));
    // A folder above a path is stored as one, also where a link leads there.
    expected.push(...names.filter((name) => name.endsWith('link/er')).map((name) => `${name}/d`));
    const found = await contentsOf(first.tree);
    const files = [...found].filter(([, content]) => content !== 'folder' && !content.startsWith('->'));
    expect(files.map(([name]) => path.relative(folder, name)).sort()).toEqual(expected.sort());
    expect(found.get(entry('www/precious'))).toBe(
      expected.includes('www/precious') ? stored(Buffer.from('www/precious')) : undefined,
    );
    expect(await ownTree((await run({ paths, source })).tree)).toBe(await ownTree(first.tree));
    expect(logs.filter((line) => !line.includes('leads through'))).toEqual([]);
  });

  it('keeps whole paths and every byte, and stores nothing twice', async () => {
    const large = randomBytes(9_000_000);
    writeFileSync(entry('large'), large);
    writeFileSync(entry('copy'), large);
    writeFileSync(entry('empty'), '');
    mkdirSync(entry('sub/deeper'), { recursive: true });
    for (let index = 0; index < 300; index += 1) writeFileSync(entry(`sub/file ${index}`), `content ${index % 7}`);
    symlinkSync('../large', entry('sub/link'));
    linkSync(entry('sub/file 1'), entry('zzz'));
    const { snapshot, counters, bytesStored } = await run();
    expect(logs).toEqual([]);
    const found = await contentsOf(snapshot?.tree ?? '');
    expect(found.get(entry('large'))).toBe(stored(large));
    expect(found.get(entry('copy'))).toBe(stored(large));
    expect(found.get(entry('empty'))).toBe('0 ');
    expect(found.get(entry('zzz'))).toBe(stored(Buffer.from('content 1')));
    expect(found.get(entry('sub/link'))).toBe('-> ../large');
    expect(found.get(entry('sub/deeper'))).toBe('folder');
    expect(counters).toMatchObject({ files: 303, filesNew: 303, filesUnmodified: 0 });
    expect(bytesStored).toBeLessThan(large.length * 1.02);
  });

  it('keeps a folder whose tree is longer than a slot', async () => {
    const target = (index: number) => `${index} ${'over there '.repeat(360)}`;
    for (let index = 0; index < 2300; index += 1) symlinkSync(target(index), entry(`link ${index}`));
    const { snapshot, counters } = await run();
    expect(logs).toEqual([]);
    expect(counters.bytesAdded).toBeGreaterThan(9_000_000);
    const found = await contentsOf(snapshot?.tree ?? '');
    for (let index = 0; index < 2300; index += 1) expect(found.get(entry(`link ${index}`))).toBe(`-> ${target(index)}`);
  });

  it('opens nothing of an unchanged source, and sees every kind of change', async () => {
    for (const name of ['same', 'grown', 'touched', 'gone']) writeFileSync(entry(name), `content of ${name}`);
    mkdirSync(entry('sub'));
    writeFileSync(entry('sub/same'), 'x');
    const first = await run();
    const second = await run();
    expect(second.parentId).toBe(first.snapshot?.id);
    expect(await ownTree(second.tree)).toBe(await ownTree(first.tree));
    expect(second.counters).toMatchObject({ filesUnmodified: 5, filesNew: 0, filesChanged: 0, dataBlobs: 0 });
    appendFileSync(entry('grown'), '!');
    utimesSync(entry('touched'), 1, 1);
    rmSync(entry('gone'));
    writeFileSync(entry('new'), 'new');
    const third = await run();
    expect(third.counters).toMatchObject({ filesUnmodified: 2, filesNew: 1, filesChanged: 2 });
    const found = await contentsOf(third.tree);
    expect(found.get(entry('grown'))).toBe(stored(Buffer.from('content of grown!')));
    expect(found.has(entry('gone'))).toBe(false);
    // Without a parent everything is read again, and comes to the same.
    const all = await run({ hostname: 'other' });
    expect(all).toMatchObject({ parentId: null, counters: { filesNew: 5, filesUnmodified: 0, dataBlobs: 0 } });
    expect(await ownTree(all.tree)).toBe(await ownTree(third.tree));
  });

  it('does not refer to condemned packs', async () => {
    writeFileSync(entry('file'), randomBytes(100_000));
    const first = await run();
    const packs = [...storage.objects.keys()].filter((key) => key.startsWith('data/')).map((key) => key.slice(-64));
    const second = await run({ condemnedPacks: packs });
    expect(await ownTree(second.tree)).toBe(await ownTree(first.tree));
    for (const key of [...storage.objects.keys()]) if (packs.includes(key.slice(-64))) storage.objects.delete(key);
    const index = await loadIndex(repository, { signal: never, ignoredPacks: new Set(packs) });
    const reader = createBlobReader({ repository, index, signal: never });
    await collect(reader, { id: fromHex(second.tree), path: '', found: new Map() });
  });

  it('reads anew what a damaged parent lists', async () => {
    writeFileSync(entry('file'), 'content');
    const first = await run();
    const index = await loadIndex(repository, { signal: never });
    const found = index.find(fromHex(first.tree), 'tree');
    const pack = `data/${Buffer.from(index.packId(index.packOf(found)))
      .toString('hex')
      .replace(/^(..)/, '$1/$1')}`;
    const bytes = storage.objects.get(pack);
    if (bytes) bytes[index.offsetOf(found) + 20] = (bytes[index.offsetOf(found) + 20] ?? 0) ^ 1;
    const second = await run();
    expect(second.counters).toMatchObject({ filesNew: 1, filesUnmodified: 0 });
    expect(logs.join()).toContain('is read anew');
  });

  it('compares only, when asked to', async () => {
    writeFileSync(entry('file'), randomBytes(2_000_000));
    const before = [...storage.objects.keys()];
    const { snapshot, counters } = await run({ dryRun: true });
    expect([snapshot, counters.filesNew]).toEqual([null, 1]);
    expect([...storage.objects.keys()]).toEqual(before);
  });

  it('writes no snapshot when it is cancelled, and goes on where it stood', async () => {
    for (let index = 0; index < 8; index += 1) writeFileSync(entry(`file ${index}`), randomBytes(8_000_000));
    const abort = new AbortController();
    const put = storage.put.bind(storage);
    let packs = 0;
    storage.put = async (key, body, options) => {
      await put(key, body, options);
      if (key.startsWith('data/') && ++packs === 2) abort.abort();
    };
    await expect(run({ signal: abort.signal })).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(await listSnapshots(repository, never)).toEqual([]);
    expect(logs.join()).toContain('is kept for the next run');
    const known = (await loadIndex(repository, { signal: never })).count;
    expect(known).toBeGreaterThan(0);
    storage.put = put;
    const { blobsAdded, counters } = await run();
    expect(blobsAdded).toBeLessThanOrEqual(counters.dataBlobs + counters.treeBlobs);
    expect((await contentsOf((await listSnapshots(repository, never))[0]?.tree ?? '')).size).toBeGreaterThan(8);
  });

  it('names nothing that it stored once its lock is lost: a clean-up may have deleted that', async () => {
    for (let index = 0; index < 8; index += 1) writeFileSync(entry(`file ${index}`), randomBytes(8_000_000));
    const abort = new AbortController();
    const put = storage.put.bind(storage);
    let packs = 0;
    storage.put = async (key, body, options) => {
      await put(key, body, options);
      if (key.startsWith('data/') && ++packs === 2)
        abort.abort(new AppError('REPOSITORY_LOCK_LOST', { reason: 'slept' }));
    };
    await expect(run({ signal: abort.signal })).rejects.toBeInstanceOf(AppError);
    storage.put = put;
    expect([...storage.objects.keys()].filter((key) => key.includes('/index/'))).toEqual([]);
  });

  it('says why when the source cannot be read or the storage is full', async () => {
    writeFileSync(entry('file'), randomBytes(1_000_000));
    const gone = { type: 'file', config: { paths: [entry('gone')], excludePatterns: [], oneFileSystem: false } };
    await expect(run({ source: gone })).rejects.toMatchObject({ code: 'SOURCE_NOT_FOUND' });
    storage.knobs.failAfterBytes = 1000;
    await expect(run()).rejects.toMatchObject({ code: 'STORAGE_FULL' });
    storage.knobs.failAfterBytes = null;
    expect(await listSnapshots(repository, never)).toEqual([]);
  });
});
