import { rmSync } from 'node:fs';
import type { InitRepositoryJob, ListSnapshotsJob, RepositoryAccess } from '@backupx/contracts/jobs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { unpackMasterKey } from '../repository/format/master-key.ts';
import type { SnapshotSummary } from '../repository/format/snapshot-file.ts';
import { initRepository as makeRepository } from '../repository/init-repository.ts';
import { openRepository, type Repository } from '../repository/open-repository.ts';
import { saveSnapshot } from '../repository/snapshots.ts';
import { createJobFixture, type JobFixture, testTarget } from '../testing/job-fixture.ts';
import { createMemoryStorage, type MemoryStorage } from '../testing/memory-storage.ts';
import { withRepository } from './open-repository-access.ts';
import { runJob } from './run-job.ts';

const signal = new AbortController().signal;
let storage: MemoryStorage;
let fixture: JobFixture;
let repository: Repository;
let access: RepositoryAccess;
let isClosed: boolean;

beforeEach(async () => {
  storage = createMemoryStorage();
  isClosed = false;
  storage.close = async () => {
    isClosed = true;
  };
  fixture = createJobFixture({ storages: { s1: storage }, sources: [] });
  const place = { storage, prefix: 'repo', label: 'r' };
  const created = '2026-01-01T00:00:00Z';
  const options = { password: 'pw', hostname: 'h', username: 'u', created, cost: { N: 2, r: 1, p: 1 } };
  const made = await makeRepository(place, options, signal);
  repository = await openRepository(place, { masterKey: made.masterKey }, signal);
  access = {
    ...{ id: 0, target: testTarget(1), prefix: 'repo', unlock: { password: 'pw' } },
    ...{ leaseId: 0, condemnedPacks: [] },
  };
});
afterEach(() => rmSync(fixture.context.tempDir, { recursive: true, force: true }));

const locks = () => [...storage.objects.keys()].filter((key) => key.startsWith('repo/locks/'));
const stop = (reason: Error) => Promise.reject(reason);

async function snapshot(more: { hostname?: string; tags?: string[]; paths?: string[] }): Promise<string> {
  const { hostname = 'a', tags = [], paths = ['/'] } = more;
  const summary: SnapshotSummary | null = null;
  const saved = await saveSnapshot(
    repository,
    {
      ...{ time: '2026-01-01T00:00:00Z', parent: null, tree: 'ab'.repeat(32), paths, hostname, username: '', uid: 0 },
      ...{ gid: 0, excludes: [], tags, original: null, programVersion: '', summary },
    },
    signal,
  );
  return saved.id;
}

describe('withRepository', () => {
  it('holds the lock while the work runs and lets go of everything after it', async () => {
    const result = await withRepository(fixture.context, access, { lock: 'exclusive' }, async (opened) => {
      expect(locks()).toHaveLength(1);
      expect(opened.config).toEqual(repository.config);
      return 'done';
    });
    expect(result).toBe('done');
    expect(locks()).toEqual([]);
    expect(isClosed).toBe(true);
  });

  it('does so also when the work fails', async () => {
    const failing = withRepository(fixture.context, access, { lock: 'shared' }, () => stop(new Error('broke')));
    await expect(failing).rejects.toThrow('broke');
    expect(locks()).toEqual([]);
    expect(isClosed).toBe(true);
  });

  it('takes no lock for a look, and minds none', async () => {
    await withRepository(fixture.context, access, { lock: 'exclusive' }, async () => {
      await withRepository(fixture.context, access, { lock: null }, async () => {
        expect(locks()).toHaveLength(1);
      });
      const second = withRepository(fixture.context, access, { lock: 'shared' }, async () => {});
      await expect(second).rejects.toMatchObject({ code: 'REPOSITORY_LOCKED' });
    });
  });

  it('opens with the master key, and marks the lock with the lease', async () => {
    const masterKey = Buffer.concat([
      repository.masterKey.encrypt,
      repository.masterKey.macK,
      repository.masterKey.macR,
    ]).toString('base64');
    expect(unpackMasterKey(masterKey)).toEqual(repository.masterKey);
    const leased = { ...access, unlock: { masterKey }, leaseId: 9 };
    await withRepository(fixture.context, leased, { lock: 'shared' }, async (opened, workSignal) => {
      const [name = ''] = locks().map((key) => key.slice('repo/locks/'.length));
      const lock = JSON.parse((await opened.readFile('locks', name, workSignal)).toString());
      expect(lock).toMatchObject({ username: 'backupx-lease-9', exclusive: false, pid: process.pid });
    });
  });

  it('needs a master and a number for what lies behind the master', async () => {
    const far = { ...access, id: 3, target: { ...access.target, viaMaster: true } };
    const opening = withRepository(fixture.context, far, { lock: null }, async () => {});
    await expect(opening).rejects.toMatchObject({ code: 'NOT_SUPPORTED' });
  });

  it('ends the work when the job is cancelled', async () => {
    const working = withRepository(fixture.context, access, { lock: 'shared' }, async (_, workSignal) => {
      fixture.abort.abort();
      workSignal.throwIfAborted();
    });
    await expect(working).rejects.toThrow();
    expect(locks()).toEqual([]);
  });
});

describe('init_repository', () => {
  const job: InitRepositoryJob = {
    kind: 'init_repository',
    ...{ target: testTarget(1), id: 0, prefix: 'new', password: 'secret' },
    ...{ chunkerPolynomial: null, adopt: false, hostname: 'db1' },
  };

  it('makes one, and adopts one', async () => {
    const made = await runJob(job, fixture.context);
    expect(made).toMatchObject({ version: 2, snapshotCount: 0, repositoryId: expect.stringMatching(/^[0-9a-f]{64}$/) });
    expect(await runJob({ ...job, adopt: true }, fixture.context)).toEqual(made);
    await expect(runJob(job, fixture.context)).rejects.toMatchObject({ code: 'REPOSITORY_EXISTS' });
    await snapshot({});
    const adopted = await runJob({ ...job, prefix: 'repo', password: 'pw', adopt: true }, fixture.context);
    expect(adopted).toMatchObject({ snapshotCount: 1, repositoryId: repository.config.id });
  });

  it('takes a polynomial only when it is usable', async () => {
    const polynomial = '3da3358b4dc173';
    const made = await runJob({ ...job, chunkerPolynomial: polynomial }, fixture.context);
    expect(made).toMatchObject({ chunkerPolynomial: polynomial });
    const other = { ...job, prefix: 'other', chunkerPolynomial: '3da3358b4dc172' };
    await expect(runJob(other, fixture.context)).rejects.toMatchObject({ code: 'REPOSITORY_UNSUPPORTED' });
    expect([...storage.objects.keys()].some((key) => key.startsWith('other'))).toBe(false);
  });

  it('says when there is nothing to adopt, and when the password is wrong', async () => {
    const adopt = { ...job, adopt: true };
    await expect(runJob(adopt, fixture.context)).rejects.toMatchObject({ code: 'REPOSITORY_NOT_FOUND' });
    await expect(runJob({ ...adopt, prefix: 'repo' }, fixture.context)).rejects.toMatchObject({
      code: 'REPOSITORY_WRONG_PASSWORD',
    });
  });
});

describe('list_snapshots', () => {
  it('chooses by host, tags and path', async () => {
    const web = await snapshot({ hostname: 'web', tags: ['x', 'y'], paths: ['/srv'] });
    const db = await snapshot({ hostname: 'db', tags: ['x'], paths: ['/srv/db', '/etc'] });
    const list = async (more: Partial<ListSnapshotsJob>) => {
      const plain = { hostname: null, tags: [], path: null };
      const job: ListSnapshotsJob = { kind: 'list_snapshots', repository: access, ...plain, ...more };
      const { snapshots } = (await runJob(job, fixture.context)) as { snapshots: { id: string }[] };
      return snapshots.map(({ id }) => id).sort();
    };
    expect(await list({})).toEqual([web, db].sort());
    expect(await list({ hostname: 'web' })).toEqual([web]);
    expect(await list({ tags: ['x'] })).toEqual([web, db].sort());
    expect(await list({ tags: ['x', 'y'] })).toEqual([web]);
    expect(await list({ path: '/srv/db/file' })).toEqual([web, db].sort());
    expect(await list({ path: '/srv/dbx' })).toEqual([web]);
    expect(await list({ path: '/etc' })).toEqual([db]);
    storage.objects.set(`repo/snapshots/${'00'.repeat(32)}`, new Uint8Array(99));
    expect(await list({ hostname: 'db' })).toEqual([db]);
    expect(fixture.logs).toEqual([expect.stringContaining('error: The repository is damaged')]);
  });
});

describe('unlock_repository', () => {
  it('removes what is dead, and all when told to', async () => {
    await withRepository(fixture.context, access, { lock: 'shared' }, async () => {
      const job = { kind: 'unlock_repository', repository: access } as const;
      const careful = await runJob({ ...job, all: false }, fixture.context);
      expect(careful).toMatchObject({ removed: [], left: [{ holder: expect.stringContaining(`pid ${process.pid}`) }] });
      const all = await runJob({ ...job, all: true }, fixture.context);
      expect(all).toMatchObject({ removed: [{ reason: 'asked for' }], left: [] });
      expect(locks()).toEqual([]);
    });
  });
});

describe('repository_keys', () => {
  const job = { kind: 'repository_keys', action: 'list', password: null, keyId: null, hostname: 'desk' } as const;
  const run = (more: object) => runJob({ ...job, repository: access, ...more }, fixture.context) as Promise<Keys>;
  interface Keys {
    readonly keys: { readonly id: string; readonly hostname: string; readonly isCurrent: boolean }[];
    readonly addedId: string | null;
  }

  it('lists, adds and removes', async () => {
    const [first] = (await run({})).keys;
    expect(first).toMatchObject({ hostname: 'h', username: 'u', created: '2026-01-01T00:00:00Z', isCurrent: true });
    const { keys, addedId } = await run({ action: 'add', password: 'second' });
    expect(keys).toHaveLength(2);
    expect(keys[1]).toMatchObject({ id: addedId, hostname: 'desk', isCurrent: false });
    await expect(run({ action: 'remove', keyId: first?.id })).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    const bySecond = { ...access, unlock: { password: 'second' } };
    const left = await run({ action: 'remove', keyId: first?.id.slice(0, 10), repository: bySecond });
    expect(left.keys.map(({ id, isCurrent }) => [id, isCurrent])).toEqual([[addedId, true]]);
    await expect(run({ action: 'list' })).rejects.toMatchObject({ code: 'REPOSITORY_WRONG_PASSWORD' });
  });

  it('changes the password', async () => {
    const { keys, addedId } = await run({ action: 'change', password: 'new' });
    expect(keys).toEqual([expect.objectContaining({ id: addedId, isCurrent: true })]);
    await expect(run({})).rejects.toMatchObject({ code: 'REPOSITORY_WRONG_PASSWORD' });
    expect((await run({ repository: { ...access, unlock: { password: 'new' } } })).keys).toHaveLength(1);
  });

  it('refuses to lock everybody out', async () => {
    const masterKey = Buffer.concat([
      repository.masterKey.encrypt,
      repository.masterKey.macK,
      repository.masterKey.macR,
    ]).toString('base64');
    const byKey = { ...access, unlock: { masterKey } };
    const [only] = (await run({})).keys;
    const refused = [
      run({ action: 'remove', keyId: only?.id, repository: byKey }),
      run({ action: 'change', password: 'x', repository: byKey }),
      run({ action: 'remove', keyId: '' }),
      run({ action: 'remove', keyId: 'zz' }),
      run({ action: 'add', password: '' }),
      run({ action: 'add' }),
    ];
    for (const result of await Promise.allSettled(refused)) {
      expect(result).toMatchObject({ status: 'rejected', reason: { code: 'INVALID_INPUT' } });
    }
    expect((await run({})).keys).toHaveLength(1);
  });

  it('does not rely on a key that the storage did not keep as it was', async () => {
    const { put } = storage;
    storage.put = async (key, body, options) => {
      await put(key, body, options);
      const bytes = storage.objects.get(key);
      if (key.startsWith('repo/keys/') && bytes) bytes[bytes.length - 20] = 65;
    };
    await expect(run({ action: 'change', password: 'new' })).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
    expect((await run({})).keys).toHaveLength(1);
  });
});
