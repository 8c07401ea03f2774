/** The jobs around the work: which locks they take and mind, and that options reach it. */
import type { JobKind, JobOf, JobResults, PruneRepositoryJob, RepositoryAccess } from '@backupx/contracts/jobs';
import { beforeEach, expect, it } from 'vitest';
import { packLock } from '../repository/format/lock-file.ts';
import { packMasterKey } from '../repository/format/master-key.ts';
import { openFile } from '../repository/format/unpacked-file.ts';
import { backup, makeRepository, textOf } from '../repository/maintenance/small-repository.ts';
import type { Repository } from '../repository/open-repository.ts';
import { createJobFixture, type JobFixture, testTarget } from '../testing/job-fixture.ts';
import { createMemoryStorage, type MemoryStorage } from '../testing/memory-storage.ts';
import { runJob } from './run-job.ts';

const signal = new AbortController().signal;

let storage: MemoryStorage;
let repository: Repository;
let access: RepositoryAccess;
let fixture: JobFixture;
/** Who held locks, in order. */
let holders: string[];
/** What happens once a lock was taken. */
let onLocked = async () => {};

beforeEach(async () => {
  storage = createMemoryStorage();
  repository = await makeRepository(storage);
  holders = [];
  onLocked = async () => {};
  const watched = {
    ...storage,
    async put(...[key, body, options]: Parameters<typeof storage.put>) {
      await storage.put(key, body, options);
      if (!key.startsWith('locks/')) return;
      const lock = JSON.parse(openFile(repository.box, storage.objects.get(key) ?? new Uint8Array()).toString());
      holders.push(`${lock.exclusive ? 'exclusive' : 'shared'} ${lock.username}`);
      await onLocked();
    },
  };
  fixture = createJobFixture({ storages: { s1: watched }, sources: [] });
  access = {
    ...{ id: 1, target: testTarget(1), prefix: '', leaseId: 7, condemnedPacks: [] },
    unlock: { masterKey: packMasterKey(repository.masterKey) },
  };
});

async function run<K extends JobKind>(job: JobOf<K>): Promise<JobResults[K]> {
  return (await runJob(job, fixture.context)) as JobResults[K];
}

function prune(more: Partial<PruneRepositoryJob>): PruneRepositoryJob {
  const limits = { maxUnusedShare: 0, maxRepackBytes: null, dryRun: false };
  return { kind: 'prune_repository', repository: access, ...limits, phase: 'exclusive', youngerLeases: [], ...more };
}

/** Work that goes on under the lease. */
async function addLock(lease: number): Promise<void> {
  const owner = { hostname: 'elsewhere', username: `backupx-lease-${lease}`, pid: 1, uid: 0, gid: 0 };
  await repository.saveFile('locks', packLock({ time: new Date().toISOString(), exclusive: false, ...owner }), signal);
}

async function forgottenSnapshot(): Promise<void> {
  const { id } = await backup(repository, { a: textOf('a') });
  await repository.removeFile('snapshots', id, signal);
}

it('marks and forgets beside backups, and prunes alone', async () => {
  const { id } = await backup(repository, { a: textOf('a') });
  await addLock(5);
  const named = { snapshotIds: [id], policy: null, lockedIds: [], dryRun: false };
  expect((await run({ kind: 'forget_snapshots', repository: access, ...named })).removed).toMatchObject([{ id }]);
  expect((await run(prune({ phase: 'mark' }))).condemnedPacks.length).toBeGreaterThan(0);
  expect(new Set(holders)).toEqual(new Set(['shared backupx-lease-7']));
  await expect(run(prune({}))).rejects.toMatchObject({ code: 'REPOSITORY_LOCKED' });
});

it('sweeps under the exclusive lock of a sweeper, beside leases younger than the mark alone', async () => {
  await forgottenSnapshot();
  const { condemnedPacks } = await run(prune({ phase: 'mark' }));
  await addLock(9);
  const sweep = prune({ phase: 'sweep', repository: { ...access, condemnedPacks } });
  for (const refused of [sweep, { ...sweep, lastOlderLease: 9 }])
    await expect(run(refused)).rejects.toMatchObject({ code: 'REPOSITORY_LOCKED' });
  holders = [];
  expect((await run({ ...sweep, youngerLeases: [9] })).packsRemoved).toBe(condemnedPacks.length);
  expect(holders).toEqual(['exclusive backupx-sweep']);
});

it('sweeps beside a run that begins while it takes its lock', async () => {
  await forgottenSnapshot();
  const { condemnedPacks } = await run(prune({ phase: 'mark' }));
  const sweep = prune({ phase: 'sweep', repository: { ...access, condemnedPacks } });
  onLocked = () => addLock(9);
  await expect(run(sweep)).rejects.toMatchObject({ code: 'REPOSITORY_LOCKED' });
  for (const key of storage.objects.keys()) if (key.startsWith('locks/')) storage.objects.delete(key);
  const { packsRemoved } = await run({ ...sweep, lastOlderLease: 8 });
  expect(packsRemoved).toBe(condemnedPacks.length);
});

it('checks and repairs, and says in a check when the repository cannot be opened', async () => {
  const { id } = await backup(repository, { a: textOf('a') });
  for (const key of [...storage.objects.keys()].filter((name) => name.startsWith('index/')))
    storage.objects.delete(key);
  const check = { kind: 'check_repository', repository: access, read: 'all' } as const;
  expect(await run(check)).toMatchObject({ status: 'damaged', intactSnapshotIds: [] });
  const repair = {
    kind: 'repair_repository',
    repository: access,
    readAllPacks: false,
    forget: false,
    dryRun: false,
  } as const;
  expect((await run({ ...repair, what: 'index' })).changes).not.toEqual([]);
  expect(await run({ ...repair, what: 'snapshots' })).toEqual({ changes: [], newSnapshotIds: [] });
  expect((await run(check)).intactSnapshotIds).toEqual([id]);
  const config = storage.objects.get('config');
  if (config) config[20] = (config[20] ?? 0) ^ 1;
  expect((await run(check)).problems).toMatchObject([{ code: 'config_damaged', object: 'config' }]);
});

it('copies to another repository', async () => {
  await backup(repository, { a: textOf('a') });
  const other = createMemoryStorage();
  const target = await makeRepository(other);
  Object.assign(fixture.context.drivers, {
    openStorage: ({ type }: { type: string }) => (type === 's1' ? storage : other),
  });
  const to = { ...access, target: testTarget(2), unlock: { masterKey: packMasterKey(target.masterKey) } };
  const copy = { kind: 'copy_snapshots', from: access, to, snapshotIds: null } as const;
  expect((await run(copy)).copied).toHaveLength(1);
  expect(await run(copy)).toMatchObject({ copied: [], skipped: 1 });
  expect([...other.objects.keys()].filter((key) => key.startsWith('locks/'))).toEqual([]);
});
