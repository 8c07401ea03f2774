/** Browsing, finding, comparing and streaming snapshots, on repositories in memory. */
import { text } from 'node:stream/consumers';
import { AppError } from '@backupx/contracts/errors';
import type { BrowseArtifactJob, RepositoryAccess, StoredArtifact } from '@backupx/contracts/jobs';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { readTar } from '../archive/tar-reader.ts';
import type { SnapshotStreamRequest } from '../ports/engine.ts';
import { hashOf, toHex } from '../repository/format/blob-id.ts';
import { packMasterKey } from '../repository/format/master-key.ts';
import { loadIndex } from '../repository/load-index.ts';
import { backup, makeRepository, textOf } from '../repository/maintenance/small-repository.ts';
import type { Repository } from '../repository/open-repository.ts';
import { createJobFixture, type JobFixture, testTarget } from '../testing/job-fixture.ts';
import { createMemoryStorage, type MemoryStorage } from '../testing/memory-storage.ts';
import { browseArtifact } from './browse-artifact.ts';
import { diffSnapshots } from './diff-snapshots.ts';
import { findInRepository } from './find-in-repository.ts';
import type { KeptSlot } from './job-context.ts';
import { streamSnapshot } from './snapshot-stream.ts';

const files = {
  'srv/www/index.html': textOf('index'),
  'srv/www/logs/a.log': textOf('log', 5),
  'srv/www/empty': '',
  'etc/hosts': 'localhost',
};

let storage: MemoryStorage;
let repository: Repository;
let access: RepositoryAccess;
let fixture: JobFixture;
let kept: KeptSlot;
/** Keys that were read since the last look. */
let reads: string[];
let onRead: (key: string) => void;

beforeEach(async () => {
  storage = createMemoryStorage();
  repository = await makeRepository(storage);
  reads = [];
  onRead = () => {};
  const watched = {
    ...storage,
    get(key: string, options: Parameters<MemoryStorage['get']>[1]) {
      reads.push(key.split('/')[0] ?? '');
      onRead(key);
      return storage.get(key, options);
    },
  };
  fixture = createJobFixture({ storages: { s1: watched }, sources: [] });
  kept = { repositories: null };
  access = {
    id: 0,
    target: testTarget(1),
    prefix: '',
    unlock: { masterKey: packMasterKey(repository.masterKey) },
    leaseId: 0,
    condemnedPacks: [],
  };
});

function browse(more: Partial<BrowseArtifactJob>, snapshotId = 'latest') {
  const artifact: StoredArtifact = {
    target: access.target,
    storagePath: '',
    contentsPath: null,
    fileName: '',
    checksum: null,
    fileSize: null,
    encryption: null,
    snapshot: { repository: access, snapshotId },
  };
  const query = { path: '', search: null, offset: 0, limit: 100, ...more };
  return browseArtifact({ kind: 'browse_artifact', artifact, ...query }, { ...fixture.context, kept });
}

const namesOf = (page: { entries: readonly { name: string }[] }) => page.entries.map(({ name }) => name);

describe('browsing a snapshot', () => {
  it('lists folders by pages and searches', async () => {
    await backup(repository, files);
    expect(namesOf(await browse({}))).toEqual(['etc', 'srv']);
    const first = await browse({ path: '/srv/www', limit: 2 });
    expect(first).toMatchObject({ total: 3, nextOffset: 2, entries: [{ name: 'logs' }, { name: 'empty' }] });
    expect(await browse({ path: '/srv/www', offset: 2 })).toMatchObject({ nextOffset: null });
    expect(await browse({ search: 'LOG', path: 'ignored' })).toMatchObject({ total: 2 });
    await expect(browse({ path: '/srv/nope' })).rejects.toMatchObject({ code: 'PATH_NOT_FOUND' });
    await expect(browse({}, 'abcd')).rejects.toMatchObject({ code: 'SNAPSHOT_NOT_FOUND' });
  });

  it('says which server the inventory of a database names, when that is asked', async () => {
    const source = { type: 'shopdb', config: {} };
    const inventory = JSON.stringify({
      ...{ format: 1, server: 'PostgreSQL 15.18', tool: '', database: 'shop', objects: [], details: {} },
    });
    await backup(repository, { ...files, 'shopdb/shop/dump': 'x', 'shopdb/shop/inventory.json': inventory });
    const search = 'inventory.json';
    expect(await browse({ search, source })).toMatchObject({ total: 1, server: 'PostgreSQL 15.18' });
    expect(await browse({ search })).not.toHaveProperty('server');
    expect(await browse({ search: 'index.html', source })).toMatchObject({ total: 1, server: null });
    const snapshot = { time: '2026-02-01T00:00:00Z' };
    await backup(repository, { 'shopdb/shop/inventory.json': 'none' }, { snapshot });
    expect(await browse({ search, source })).toMatchObject({ total: 1, server: null });
  });

  it('keeps the repository open: the second look reads neither config nor index', async () => {
    await backup(repository, files);
    await browse({});
    expect(reads).toEqual(expect.arrayContaining(['config', 'index', 'data']));
    reads = [];
    await browse({ path: '/etc' });
    expect(reads).toContain('snapshots');
    for (const folder of ['config', 'index', 'keys']) expect(reads).not.toContain(folder);
  });

  it('does not let in with another key', async () => {
    await backup(repository, files);
    await browse({});
    const other = await makeRepository(createMemoryStorage());
    access = { ...access, unlock: { masterKey: packMasterKey(other.masterKey) } };
    await expect(browse({})).rejects.toMatchObject({ code: 'REPOSITORY_WRONG_PASSWORD' });
  });

  it('sees what came and went since, without waiting for anything to expire', async () => {
    await backup(repository, files);
    await browse({});
    const before = new Map(storage.objects);
    for (const key of before.keys()) if (key !== 'config') storage.objects.delete(key);
    await backup(repository, { moved: 'x' });
    // The index in memory names packs that are gone; the damage it seems to be is looked into once more.
    expect(namesOf(await browse({}))).toEqual(['moved']);
  });

  it('lists again when an index file is replaced while it is read', async () => {
    await backup(repository, files);
    await browse({ path: '/etc' });
    const index = () => [...storage.objects].filter(([key]) => key.startsWith('index/'));
    const old = index().map(([key]) => key);
    await backup(repository, { ...files, 'etc/new': '2' }, { snapshot: { time: '2026-02-01T00:00:00Z' } });
    const [[key, bytes] = ['', new Uint8Array()]] = index().filter(([name]) => !old.includes(name));
    // As a clean-up would: the same content under another name, the old one gone between the list and the read.
    onRead = (read) => {
      if (read !== key || !storage.objects.delete(key)) return;
      const sealed = repository.box.seal(repository.box.open(bytes));
      storage.objects.set(`index/${toHex(hashOf(sealed))}`, sealed);
    };
    vi.spyOn(performance, 'now').mockImplementation(
      (
        (now) => () =>
          now + 3_000
      )(performance.now()),
    );
    expect(namesOf(await browse({ path: '/etc' }))).toEqual(['hosts', 'new']);
    vi.restoreAllMocks();
    expect(storage.objects.has(key)).toBe(false);
  });

  it('opens again what could not be opened the first time, whatever the reason', async () => {
    await backup(repository, files);
    const { drivers } = fixture.context;
    fixture = {
      ...fixture,
      context: {
        ...fixture.context,
        drivers: {
          ...drivers,
          openStorage() {
            throw new AppError('NOT_SUPPORTED', { what: 'This', hint: 'Later.' });
          },
        },
      },
    };
    await expect(browse({})).rejects.toMatchObject({ code: 'NOT_SUPPORTED' });
    fixture = { ...fixture, context: { ...fixture.context, drivers } };
    expect(namesOf(await browse({}))).toEqual(['etc', 'srv']);
  });

  it('names what is damaged', async () => {
    await backup(repository, files);
    for (const key of storage.objects.keys()) if (key.startsWith('data/')) storage.objects.delete(key);
    await expect(browse({})).rejects.toMatchObject({
      code: 'REPOSITORY_DAMAGED',
      message: expect.stringMatching(/\/: pack [0-9a-f]{64} with tree blob [0-9a-f]{64} is missing/),
    });
  });
});

describe('finding and comparing', () => {
  it('finds versions over snapshots, in the order of time', async () => {
    const newer = await backup(
      repository,
      { ...files, 'etc/hosts': 'changed' },
      { snapshot: { time: '2026-02-01T00:00:00Z' } },
    );
    const older = await backup(repository, files, { snapshot: { time: '2026-01-01T00:00:00Z' } });
    const job = {
      kind: 'find_in_repository',
      repository: access,
      pattern: 'hosts',
      snapshotIds: null,
      limit: 10,
    } as const;
    const { hits } = await findInRepository(job, fixture.context);
    expect(hits.map(({ size, snapshotIds }) => [size, snapshotIds])).toEqual([
      [9, [older.id]],
      [7, [newer.id]],
    ]);
    const some = await findInRepository({ ...job, snapshotIds: [newer.id.slice(0, 10), 'latest'] }, fixture.context);
    expect(some.hits).toMatchObject([{ snapshotIds: [newer.id] }]);
    expect([...storage.objects.keys()].filter((key) => key.startsWith('locks/'))).toEqual([]);
  });

  it('goes on where one snapshot is damaged, and says so', async () => {
    const known = new Set(storage.objects.keys());
    const broken = await backup(repository, { ...files, 'etc/only-here': 'x' });
    for (const key of storage.objects.keys())
      if (key.startsWith('data/') && !known.has(key)) storage.objects.delete(key);
    const whole = await backup(repository, { 'etc/hosts': 'again' });
    const job = {
      kind: 'find_in_repository',
      repository: access,
      pattern: 'hosts',
      snapshotIds: null,
      limit: 10,
    } as const;
    const { hits, unread } = await findInRepository(job, fixture.context);
    expect(hits.map(({ snapshotIds }) => snapshotIds)).toEqual([[whole.id]]);
    expect(unread).toMatchObject([{ path: '', snapshotIds: [broken.id], message: expect.stringContaining('missing') }]);
  });

  it('counts all changes and lists some', async () => {
    const { id: from } = await backup(repository, files);
    const { id: to } = await backup(repository, { ...files, 'etc/hosts': 'changed', 'etc/new': '1', 'a/b': '2' });
    const job = { kind: 'diff_snapshots', repository: access, from, to, limit: 2 } as const;
    expect(await diffSnapshots(job, fixture.context)).toMatchObject({
      added: 3,
      removed: 0,
      changed: 1,
      truncated: true,
      changes: [{ path: '/a', change: 'added' }, {}],
    });
  });
});

it('compares on where one of two snapshots is damaged, and says so', async () => {
  const { id: from } = await backup(repository, { 'a/x': '1', 'b/y': '1' });
  const known = new Set(storage.objects.keys());
  const { id: to } = await backup(repository, { 'a/x': '1', 'b/y': '1', 'c/only-here': '2' });
  const job = { kind: 'diff_snapshots', repository: access, from, to, limit: 10 } as const;
  expect(await diffSnapshots(job, fixture.context)).toMatchObject({ added: 2, unread: [] });
  for (const key of storage.objects.keys()) if (key.startsWith('data/') && !known.has(key)) storage.objects.delete(key);
  expect(await diffSnapshots(job, fixture.context)).toMatchObject({
    added: 0,
    changes: [],
    unread: [{ path: '', snapshotIds: [to], message: expect.stringContaining('missing') }],
  });
  const itself = { ...job, from: to };
  expect(await diffSnapshots(itself, fixture.context)).toMatchObject({ changes: [], unread: [] });
});

const stream = (more: Partial<SnapshotStreamRequest>) => {
  const request = { repository: access, snapshotId: 'latest', path: null, format: 'auto', ...more } as const;
  return streamSnapshot(request, fixture.context);
};

describe('streaming', () => {
  it('gives a file as it is', async () => {
    await backup(repository, files);
    expect(await text(stream({ path: '/srv/www/logs/a.log', format: 'raw' }))).toBe(files['srv/www/logs/a.log']);
    expect(await text(stream({ path: '/srv/www/empty' }))).toBe('');
    await expect(text(stream({ path: '/srv', format: 'raw' }))).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    await expect(text(stream({ path: '/nope' }))).rejects.toMatchObject({ code: 'PATH_NOT_FOUND' });
  });

  it('gives a folder as tar, with paths from the top of the snapshot', async () => {
    await backup(repository, files);
    const found: Record<string, string | null> = {};
    for await (const entry of readTar(stream({ path: '/srv' }), { signal: fixture.context.signal })) {
      found[Buffer.from(entry.path).toString()] = entry.content ? await text(entry.content) : null;
    }
    expect(found).toEqual({
      srv: null,
      'srv/www': null,
      'srv/www/empty': '',
      'srv/www/index.html': files['srv/www/index.html'],
      'srv/www/logs': null,
      'srv/www/logs/a.log': files['srv/www/logs/a.log'],
    });
  });

  it('takes its lock back when the reader has had enough, or never began', async () => {
    await backup(repository, files);
    const locks = () => [...storage.objects.keys()].filter((key) => key.startsWith('locks/')).length;
    for await (const _ of stream({ format: 'tar' })) {
      expect(locks()).toBe(1);
      break;
    }
    expect(locks()).toBe(0);
  });

  it.each(['raw', 'tar', 'zip'] as const)('ends %s with the damage, not with zeros', async (format) => {
    await backup(repository, { f: textOf('f', 4) });
    await damageContents();
    await expect(text(stream({ path: '/f', format }))).rejects.toMatchObject({
      code: 'REPOSITORY_DAMAGED',
      message: expect.stringMatching(/\/f: data blob/),
    });
  });
});

/** Turns a byte of every blob of data. */
async function damageContents(): Promise<void> {
  const index = await loadIndex(repository, { signal: fixture.context.signal });
  for (let entry = 0; entry < index.count; entry += 1) {
    const pack = storage.objects.get(repository.key('data', toHex(index.packId(index.packOf(entry)))));
    const at = index.offsetOf(entry) + 20;
    if (index.typeOf(entry) === 'data') pack?.set([~(pack[at] ?? 0)], at);
  }
}
