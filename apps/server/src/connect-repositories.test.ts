/** Repositories through the master: how they are made, leased, cleaned up and looked after. Only the engine is in memory. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { MaintenanceRecord } from '@backupx/contracts/api/maintenance';
import type { BackupRecord } from '@backupx/contracts/api/records';
import type { Repository } from '@backupx/contracts/api/repositories';
import { AppError } from '@backupx/contracts/errors';
import type { Job, JobKind, JobOf } from '@backupx/contracts/jobs';
import { createFakeClock, type FakeClock } from '@backupx/engine/testing/fake-clock';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createTestRuns, type TestRuns, taskBody } from './connect-test-runs.ts';

const DAY_MS = 86_400_000;
const PACK = 'b'.repeat(64);

let folder: string;
let clock: FakeClock;
let test: TestRuns;
let targetId: number;

async function start(): Promise<void> {
  test = await createTestRuns({ clock, path: join(folder, 'test.db') });
}
/** The process is gone and a new one takes its place. */
async function restart(): Promise<void> {
  const { objects, answers } = test.engine;
  await test.close();
  await start();
  for (const [key, bytes] of objects) test.engine.objects.set(key, bytes);
  for (const [kind, answer] of answers) test.engine.answers.set(kind, answer);
}

beforeEach(async () => {
  clock = createFakeClock();
  folder = mkdtempSync(join(tmpdir(), 'repositories-'));
  await start();
  targetId = await test.addTarget('disk');
});
afterEach(async () => {
  await test.close();
  rmSync(folder, { recursive: true, force: true });
});

const call = <T>(method: 'GET' | 'POST' | 'PUT' | 'DELETE', path: string, body?: object) =>
  test.call(method, path, body) as Promise<{ status: number; data: T & { code: string; hint: string } }>;
const jobs = <K extends JobKind>(kind: K) => test.engine.jobs.filter((job): job is JobOf<K> & Job => job.kind === kind);

async function addTask(more: object = {}): Promise<number> {
  const { status, data } = await call<{ id: number }>(
    'POST',
    '/backup/tasks',
    taskBody(targetId, { backupMode: 'repository', ...more }),
  );
  expect(status, JSON.stringify(data)).toBe(200);
  return data.id;
}
async function begin(taskId: number): Promise<number> {
  const { status, data } = await call<BackupRecord>('POST', `/backup/tasks/${taskId}/run`);
  expect(status, JSON.stringify(data)).toBe(200);
  return data.id;
}
async function run(taskId: number): Promise<BackupRecord> {
  const id = await begin(taskId);
  await test.ended(id);
  return (await call<BackupRecord>('GET', `/backup/records/${id}`)).data;
}
const repository = async (id: number) => (await call<Repository>('GET', `/repositories/${id}`)).data;
const leases = () => test.db.selectFrom('repository_leases').selectAll().orderBy('id').execute();

async function maintenance(id: number): Promise<MaintenanceRecord> {
  const get = async () => (await call<MaintenanceRecord>('GET', `/maintenance/records/${id}`)).data;
  await expect.poll(async () => (await get()).status, { interval: 5 }).not.toBe('running');
  return await get();
}
/** Waits until so many backups have come to the engine. */
const begun = (count: number) => expect.poll(() => jobs('run_backup').length, { interval: 5 }).toBe(count);

async function maintain(path: string, body: object = {}): Promise<MaintenanceRecord> {
  const { status, data } = await call<MaintenanceRecord>('POST', path, body);
  expect(status, JSON.stringify(data)).toBe(200);
  return await maintenance(data.id);
}
async function latest(kind: string): Promise<MaintenanceRecord> {
  const { data } = await call<{ items: MaintenanceRecord[] }>('GET', `/maintenance/records?kind=${kind}`);
  if (!data.items[0]) throw new Error(`no ${kind}`);
  return await maintenance(data.items[0].id);
}
/** Holds backups back until the answered function is called. */
function hold(): () => void {
  const { promise, resolve } = Promise.withResolvers<void>();
  test.engine.hold = promise;
  return () => {
    test.engine.hold = null;
    resolve();
  };
}

const pruned = {
  packsBefore: 10,
  packsRemoved: 0,
  packsRepacked: 0,
  bytesBefore: 5000,
  bytesFreed: 1000,
  bytesUnusedLeft: 0,
};
const checked = { problems: [], snapshotCount: 1, intactSnapshotIds: [], packCount: 1, blobCount: 1, bytesRead: 0 };
const clean = { ...checked, status: 'clean', problemCount: 0 };
const damaged = { ...checked, status: 'damaged', problemCount: 2 };

describe('the first run', () => {
  it('makes the repository of its node, and the record points to the snapshot', async () => {
    const record = await run(await addTask());
    const { id } = await repository(record.repositoryId);
    expect(record).toMatchObject({
      status: 'success',
      encrypted: true,
      snapshot: { bytesStored: 100 },
      checksum: record.snapshotId,
      storagePath: `repositories/local-1/snapshots/${record.snapshotId}`,
    });
    expect(await repository(id)).toMatchObject({
      state: 'ok',
      version: 2,
      storedBytes: 100,
      recordCount: 1,
      taskCount: 1,
      activeLeases: 0,
      gatewayPath: `/r/${id}/`,
    });
    const [job] = jobs('run_backup');
    expect(job?.repositories).toMatchObject([{ id, unlock: { masterKey: expect.any(String) }, leaseId: 1 }]);
    expect(job?.snapshot).toMatchObject({ tags: ['documents'] });
  });

  it('decides about the polynomial of all that follow, and nobody makes the same one twice', async () => {
    const second = await test.addTarget('second');
    const [a, b] = [await addTask(), await addTask({ name: 'b', storageTargetIds: [second, targetId] })];
    const ids = [await begin(a), await begin(b)];
    for (const id of ids) await test.ended(id);
    const made = jobs('init_repository');
    expect(made.map((job) => job.chunkerPolynomial)).toEqual([null, '3da3358b4dc173']);
    expect(new Set(made.map((job) => job.password)).size).toBe(2);
    const sealed = await test.db.selectFrom('repositories').select('secret_sealed').execute();
    for (const job of made) expect(JSON.stringify(sealed)).not.toContain(job.password);
  });

  it('goes on with a repository whose making was not answered', async () => {
    test.engine.answers.set('init_repository', (job: JobOf<'init_repository'>) => {
      if (!job.adopt) throw new AppError('REPOSITORY_EXISTS', { where: job.prefix });
      return { repositoryId: 'c'.repeat(64), version: 2, chunkerPolynomial: '1', masterKey: 'bQ==', snapshotCount: 0 };
    });
    const record = await run(await addTask());
    expect(record.status).toBe('success');
    expect((await repository(record.repositoryId)).repositoryId).toBe('c'.repeat(64));
  });

  it('refuses a place where somebody else has one', async () => {
    test.engine.answers.set('init_repository', (job: JobOf<'init_repository'>) => {
      throw new AppError(job.adopt ? 'REPOSITORY_WRONG_PASSWORD' : 'REPOSITORY_EXISTS', { where: job.prefix });
    });
    expect(await run(await addTask())).toMatchObject({ status: 'failed', errorCode: 'REPOSITORY_EXISTS' });
  });

  it('fails alone when only a second copy cannot be made', async () => {
    const second = await test.addTarget('second');
    const make = test.engine.answers.get('init_repository');
    test.engine.answers.set('init_repository', (job: JobOf<'init_repository'>) => {
      if (job.target.id === second) throw new AppError('STORAGE_UNREACHABLE', { reason: 'no' });
      return make;
    });
    await run(await addTask({ storageTargetIds: [targetId, second] }));
    expect(jobs('run_backup')[0]?.repositories).toMatchObject([
      { unlock: { masterKey: expect.any(String) } },
      { unlock: { password: expect.any(String) } },
    ]);
  });
});

describe('leases', () => {
  it('begin with the record and end with it, whatever becomes of the run', async () => {
    const taskId = await addTask();
    const release = hold();
    const id = await begin(taskId);
    expect(await leases()).toMatchObject([{ owner: 'record', owner_id: id, ended_at: null }]);
    release();
    await test.ended(id);
    expect(await leases()).toMatchObject([{ ended_at: expect.any(String) }]);
    test.engine.failure = new AppError('SOURCE_FAILED', { reason: 'no' });
    const failed = await run(taskId);
    expect(failed.status).toBe('failed');
    expect((await leases()).every((lease) => lease.ended_at !== null)).toBe(true);
  });

  it('are taken by restores and by whoever only looks', async () => {
    const record = await run(await addTask());
    await call('POST', `/backup/records/${record.id}/restore`, { targetPath: '/x' });
    await call('GET', `/backup/records/${record.id}/contents`);
    expect((await leases()).map((lease) => lease.owner)).toEqual(['record', 'restore', 'question']);
    const [browse] = jobs('browse_artifact');
    expect(browse?.artifact.snapshot).toMatchObject({ snapshotId: record.snapshotId, repository: { leaseId: 3 } });
  });

  it('of runs on this machine end with the process', async () => {
    const taskId = await addTask();
    hold();
    const id = await begin(taskId);
    await begun(1);
    await restart();
    await test.runs.start();
    expect((await test.ended(id)).status).toBe('interrupted');
    expect((await leases()).every((lease) => lease.ended_at !== null)).toBe(true);
  });
});

describe('a clean-up', () => {
  it('waits with deleting for older runs, hides what it found from younger ones, and survives restarts', async () => {
    const taskId = await addTask();
    const { repositoryId } = await run(taskId);
    const release = hold();
    const older = await begin(taskId);
    // Not before: it would not be held.
    await begun(2);
    test.engine.hold = null;
    test.engine.answers.set('prune_repository', { ...pruned, condemnedPacks: [PACK] });
    const mark = await maintain(`/repositories/${repositoryId}/prune`);
    expect(mark).toMatchObject({ status: 'success', kind: 'prune', summary: expect.stringContaining('1 of 10') });
    expect(jobs('prune_repository')).toMatchObject([{ phase: 'mark' }]);
    expect(await repository(repositoryId)).toMatchObject({ condemnedPacks: 1, activeLeases: 1, storedBytes: 5000 });

    // The older run goes on: nothing may be swept, and no second mark either.
    expect(await test.runs.dueMaintenance.tick()).toBe(0);
    expect((await call('POST', `/repositories/${repositoryId}/prune`, {})).data.code).toBe('REPOSITORY_LOCKED');
    const younger = await begin(await addTask({ name: 'younger' }));
    release();
    await test.ended(older);
    await test.ended(younger);
    const backups = jobs('run_backup');
    expect(backups.at(-1)?.repositories?.[0]?.condemnedPacks).toEqual([PACK]);
    expect(backups.at(-2)?.repositories?.[0]?.condemnedPacks).toEqual([]);

    await restart();
    const held = hold();
    const youngest = await begin(taskId);
    test.engine.answers.set('prune_repository', { ...pruned, packsRemoved: 1, condemnedPacks: [] });
    test.engine.hold = null;
    expect(await test.runs.dueMaintenance.tick()).toBe(1);
    expect(await latest('sweep')).toMatchObject({ status: 'success', trigger: 'schedule' });
    const sweep = jobs('prune_repository').at(-1);
    const open = (await leases()).filter((lease) => lease.owner_id === youngest && lease.owner === 'record');
    expect(sweep).toMatchObject({
      phase: 'sweep',
      repository: { condemnedPacks: [PACK] },
      youngerLeases: expect.arrayContaining(open.map((lease) => lease.id)),
      lastOlderLease: expect.any(Number),
    });
    expect(await repository(repositoryId)).toMatchObject({ condemnedPacks: 0, storedBytes: 4000 });
    held();
    await test.ended(youngest);
  });

  it('keeps its journal when the sweep is refused, and tries again later', async () => {
    const { repositoryId } = await run(await addTask());
    test.engine.answers.set('prune_repository', { ...pruned, condemnedPacks: [PACK] });
    await maintain(`/repositories/${repositoryId}/prune`);
    test.engine.answers.set('prune_repository', () => {
      throw new AppError('REPOSITORY_LOCKED', { holder: 'somebody' });
    });
    expect(await test.runs.dueMaintenance.tick()).toBe(1);
    expect(await latest('sweep')).toMatchObject({ status: 'failed', errorCode: 'REPOSITORY_LOCKED' });
    expect(await test.runs.dueMaintenance.tick()).toBe(0);
    expect(await repository(repositoryId)).toMatchObject({ condemnedPacks: 1 });
    await clock.advance(2 * 3_600_000);
    test.engine.answers.set('prune_repository', { ...pruned, condemnedPacks: [] });
    expect(await test.runs.dueMaintenance.tick()).toBe(1);
    await latest('sweep');
    expect(await repository(repositoryId)).toMatchObject({ condemnedPacks: 0 });
  });

  it('condemns nothing when the master was killed before the mark was written', async () => {
    const { repositoryId } = await run(await addTask());
    test.engine.answers.set('prune_repository', { ...pruned, condemnedPacks: [PACK] });
    hold();
    const { data } = await call<MaintenanceRecord>('POST', `/repositories/${repositoryId}/prune`, {});
    expect((await call('POST', `/repositories/${repositoryId}/check`, {})).data.code).toBe('REPOSITORY_BUSY');
    await restart();
    await test.runs.start();
    expect(await maintenance(data.id)).toMatchObject({ status: 'interrupted' });
    expect(await repository(repositoryId)).toMatchObject({ condemnedPacks: 0, runningMaintenanceId: null });
  });

  it('comes early after many snapshots were forgotten, but not where nobody wants it', async () => {
    const { repositoryId } = await run(await addTask());
    const { nextPruneAt } = await repository(repositoryId);
    await test.db.updateTable('repositories').set({ forgotten_count: 99 }).execute();
    const record = await run((await call<{ items: { id: number }[] }>('GET', '/backup/tasks')).data.items[0]?.id ?? 0);
    await call('DELETE', `/backup/records/${record.id}`);
    expect((await repository(repositoryId)).nextPruneAt).not.toBe(nextPruneAt);
    await call('PUT', `/repositories/${repositoryId}`, { pruneEveryDays: 0 });
    expect((await repository(repositoryId)).nextPruneAt).toBeNull();
  });
});

describe('checks', () => {
  it('come by themselves and read everything within a month', async () => {
    const { repositoryId } = await run(await addTask());
    test.engine.answers.set('check_repository', clean);
    test.engine.answers.set('prune_repository', { ...pruned, condemnedPacks: [] });
    for (let week = 0; week < 5; week += 1) {
      await clock.advance(7 * DAY_MS + 1000);
      await test.runs.dueMaintenance.tick();
      await latest('check');
      await test.runs.dueMaintenance.tick();
      await latest('prune');
    }
    expect(jobs('check_repository').map((job) => job.read)).toEqual([1, 2, 3, 4, 1].map((n) => ({ n, of: 4 })));
    expect(await repository(repositoryId)).toMatchObject({ lastCheckOk: true, state: 'ok' });
  });

  it('that find damage are seen until a check that reads as much finds none', async () => {
    const taskId = await addTask();
    const { repositoryId } = await run(taskId);
    test.engine.answers.set('check_repository', damaged);
    const found = await maintain(`/repositories/${repositoryId}/check`, { read: { n: 2, of: 4 } });
    expect(found).toMatchObject({ status: 'warning', problemCount: 2 });
    expect(await repository(repositoryId)).toMatchObject({ state: 'damaged', lastCheckOk: false, problemCount: 2 });
    const overview = (await call<{ exceptions: object[]; protectedTasks: number }>('GET', '/dashboard/overview')).data;
    expect(overview).toMatchObject({ exceptions: [{ taskId, reason: 'repository_damaged' }], protectedTasks: 0 });

    test.engine.answers.set('check_repository', clean);
    await maintain(`/repositories/${repositoryId}/check`, { read: 'structure' });
    await maintain(`/repositories/${repositoryId}/check`, { read: { n: 3, of: 4 } });
    expect((await repository(repositoryId)).state).toBe('damaged');
    await clock.advance(7 * DAY_MS + 1000);
    await test.runs.dueMaintenance.tick();
    await latest('check');
    // The scheduled one reads what was damaged.
    expect(jobs('check_repository').at(-1)?.read).toEqual({ n: 2, of: 4 });
    expect(await repository(repositoryId)).toMatchObject({ state: 'ok', problemCount: 0 });
  });

  it('that cannot be done are no good checks', async () => {
    const { repositoryId } = await run(await addTask());
    await clock.advance(8 * DAY_MS);
    test.engine.answers.set('check_repository', () => {
      throw new AppError('REPOSITORY_DAMAGED', { reason: 'the index' });
    });
    await test.runs.dueMaintenance.tick();
    expect(await latest('check')).toMatchObject({ status: 'failed' });
    expect(await repository(repositoryId)).toMatchObject({ state: 'damaged', lastCheckOk: false });
  });
});

describe('records that are snapshots', () => {
  it('take each copy with them when they are deleted', async () => {
    const second = await test.addTarget('second');
    const record = await run(await addTask({ storageTargetIds: [targetId, second] }));
    expect(test.engine.objects.size).toBe(2);
    await call('DELETE', `/backup/records/${record.id}`);
    expect(test.engine.objects.size).toBe(0);
    const { data } = await call<{ items: Repository[] }>('GET', '/repositories');
    expect(data.items.map((item) => item.recordCount)).toEqual([0, 0]);
  });

  it('are restored from whichever copy the node reaches', async () => {
    const record = await run(await addTask());
    await call('POST', `/backup/records/${record.id}/restore`, { targetPath: '/x', nodeId: test.remoteNodeId });
    const restore = (await call<{ items: { id: number }[] }>('GET', '/restore/records')).data.items[0];
    expect(restore).toMatchObject({
      recordId: record.id,
      repositoryId: record.repositoryId,
      snapshotId: record.snapshotId,
    });
    const job = await test.runs.builder.restoreJob(restore?.id ?? 0);
    // The master's disk is behind the gateway for others; its settings stay here.
    expect(job.artifact.snapshot?.repository.target).toMatchObject({ viaMaster: true, config: {} });
    test.fleet.remote = { ...test.fleet.remote, modes: null };
    const refused = await call('POST', `/backup/records/${record.id}/restore`, { nodeId: test.remoteNodeId });
    expect(refused.data).toMatchObject({ code: 'NOT_SUPPORTED' });
  });
});

describe('an agent that does not know repositories', () => {
  it('is refused with a reason, when the task is saved and when it starts', async () => {
    const taskId = await addTask({ nodeId: test.remoteNodeId });
    test.fleet.remote = { ...test.fleet.remote, modes: null };
    const body = taskBody(targetId, { name: 'other', backupMode: 'repository', nodeId: test.remoteNodeId });
    const saved = await call('POST', '/backup/tasks', body);
    expect(saved.data).toMatchObject({ code: 'NOT_SUPPORTED', hint: expect.stringContaining('older version') });
    const started = await call('POST', `/backup/tasks/${taskId}/run`);
    expect(started.data).toMatchObject({ code: 'NOT_SUPPORTED', hint: expect.stringContaining('older version') });
    expect(await test.db.selectFrom('records').select('id').execute()).toEqual([]);
  });

  it('gets a repository of its own on its own disk once it does', async () => {
    const taskId = await addTask({ nodeId: test.remoteNodeId });
    await begin(taskId);
    const [row] = (await call<{ items: Repository[] }>('GET', '/repositories')).data.items;
    expect(row).toMatchObject({ state: 'new', isReachableFromMaster: false, nodeName: 'web-1', gatewayPath: '' });
    const body = taskBody(targetId, { name: 'x', backupMode: 'repository', repositoryId: row?.id });
    expect((await call('POST', '/backup/tasks', body)).data.code).toBe('NOT_SUPPORTED');
    expect((await call('POST', `/repositories/${row?.id}/gateway-token`)).data.code).toBe('NOT_SUPPORTED');
  });
});

describe('repositories by hand', () => {
  it('are made, and their kit is shown to administrators alone', async () => {
    const made = await call<{ repository: Repository; recoveryKit: string }>('POST', '/repositories', {
      storageTargetId: targetId,
      name: 'mine',
    });
    const { id } = made.data.repository;
    const password = jobs('init_repository')[0]?.password ?? '';
    expect(made.data.recoveryKit).toContain(password);
    expect(made.data.repository.recoveryKitDownloadedAt).toBeNull();
    expect(
      (await call('POST', '/repositories', { storageTargetId: targetId, prefix: 'repositories/local-1' })).data.code,
    ).toBe('REPOSITORY_EXISTS');
    const page = await test.http.inject(`/api/repositories/${id}/recovery-kit?format=html`);
    expect(page.headers).toMatchObject({ 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' });
    expect(page.body).toContain(password);
    // The trail says who had it, and the repository when it was had last.
    const kits = () => test.audits.filter(({ action }) => action === 'repository.recovery_kit');
    expect(kits()).toMatchObject([{ target: 'mine', detail: 'html', outcome: 'success', username: 'ada' }]);
    const downloadedAt = async () =>
      (await call<Repository>('GET', `/repositories/${id}`)).data.recoveryKitDownloadedAt;
    expect(await downloadedAt()).toBe(clock.now().toISOString());
    await clock.advance(60_000);
    await test.http.inject(`/api/repositories/${id}/recovery-kit`);
    expect(await downloadedAt()).toBe(clock.now().toISOString());
    expect(kits().map(({ detail }) => detail)).toEqual(['html', 'text']);
    test.role = 'operator';
    const second = await test.addTarget('second');
    const other = await call<{ recoveryKit: null }>('POST', '/repositories', { storageTargetId: second });
    expect(other.data.recoveryKit).toBeNull();
  });

  it('have folders of their own, however many a node has on one target', async () => {
    for (let count = 0; count < 4; count++) {
      expect((await call('POST', '/repositories', { storageTargetId: targetId })).status).toBe(200);
    }
    const prefixes = jobs('init_repository').map((job) => job.prefix);
    expect(prefixes[0]).toBe('repositories/local-1');
    expect(new Set(prefixes).size).toBe(4);
  });

  it('leave no row when they could not be made', async () => {
    test.engine.answers.set('init_repository', () => {
      throw new AppError('REPOSITORY_WRONG_PASSWORD');
    });
    const adopted = await call('POST', '/repositories/adopt', {
      storageTargetId: targetId,
      prefix: 'x',
      password: 'y',
    });
    expect(adopted.data.code).toBe('REPOSITORY_WRONG_PASSWORD');
    expect((await call('POST', '/repositories', { storageTargetId: targetId, prefix: '../x' })).data.code).toBe(
      'INVALID_INPUT',
    );
    expect((await call<{ total: number }>('GET', '/repositories')).data.total).toBe(0);
    // Of what failed the trail says as well what it was about.
    const detail = expect.stringMatching(/^REPOSITORY_WRONG_PASSWORD: .*x$/);
    expect(test.audits).toContainEqual(
      expect.objectContaining({
        action: 'repository.adopt',
        outcome: 'failure',
        target: expect.stringMatching(/x$/),
        detail,
      }),
    );
  });

  it('are not forgotten while something points to them, nor is their target', async () => {
    const taskId = await addTask();
    const record = await run(taskId);
    const remove = () => call('DELETE', `/repositories/${record.repositoryId}`);
    expect((await remove()).data.code).toBe('REPOSITORY_IN_USE');
    await call('DELETE', `/backup/records/${record.id}`);
    expect((await remove()).data.code).toBe('REPOSITORY_IN_USE');
    await call('DELETE', `/backup/tasks/${taskId}`);
    expect((await remove()).status).toBe(200);
  });

  it('keep the snapshots of our records when others are forgotten', async () => {
    const record = await run(await addTask());
    test.engine.answers.set('forget_snapshots', { removed: [], kept: [] });
    const listed = { id: 'f'.repeat(64), time: '2026-01-01T00:00:00Z', hostname: '', paths: [], tags: [], tree: '' };
    const rest = { username: '', parent: null, programVersion: '', summary: null };
    test.engine.answers.set('list_snapshots', { snapshots: [{ ...listed, ...rest }] });
    const seen = { arrived_at: '2026-01-02T00:00:00.000Z', caller: 'x' };
    await test.db
      .insertInto('snapshot_arrivals')
      .values({ repository_id: record.repositoryId, snapshot_id: listed.id, ...seen })
      .execute();
    await maintain(`/repositories/${record.repositoryId}/forget`, { policy: { last: 1 } });
    // One that is saved from now on is in neither list, so it stays.
    expect(jobs('forget_snapshots')).toMatchObject([
      { lockedIds: [record.snapshotId], candidateIds: [listed.id], policy: { last: 1 } },
    ]);
    // What others sent counts by when it came, ours by when its run was.
    expect(jobs('forget_snapshots')[0]).toMatchObject({
      arrivals: [
        { id: listed.id, startedAt: null, arrivedAt: '2026-01-02T00:00:00.000Z' },
        { id: record.snapshotId, startedAt: record.startedAt, arrivedAt: record.completedAt },
      ],
    });
    expect((await call('POST', `/repositories/${record.repositoryId}/forget`, {})).data.code).toBe('INVALID_INPUT');
  });

  it('leave a trace of who wanted them forgotten, also when they cannot be listed', async () => {
    const { repositoryId } = await run(await addTask());
    test.engine.answers.set('list_snapshots', () => {
      throw new AppError('STORAGE_UNREACHABLE', { reason: 'no' });
    });
    const { data } = await call('POST', `/repositories/${repositoryId}/forget`, { policy: { last: 1 } });
    expect(data.code).toBe('STORAGE_UNREACHABLE');
    const { name } = (await call<{ name: string }>('GET', `/repositories/${repositoryId}`)).data;
    expect(test.audits.at(-1)).toMatchObject({ action: 'repository.forget', target: name, outcome: 'failure' });
    expect(test.audits.at(-1)?.detail).toMatch(/^STORAGE_UNREACHABLE: .*"last":1/);
  });
});

describe('snapshots', () => {
  it('are joined with records and arrivals, and a false date is flagged', async () => {
    const record = await run(await addTask());
    const id = (letter: string) => letter.repeat(64);
    const snapshot = {
      username: '',
      paths: ['/x'],
      tags: [],
      tree: id('0'),
      parent: null,
      programVersion: '',
      summary: null,
    };
    const now = clock.now().toISOString();
    await test.db
      .insertInto('snapshot_arrivals')
      .values(
        ['d', 'e'].map((letter) => ({
          repository_id: record.repositoryId,
          snapshot_id: id(letter),
          arrived_at: now,
          caller: 'x',
        })),
      )
      .execute();
    test.engine.answers.set('list_snapshots', {
      snapshots: [
        { ...snapshot, id: id('f'), time: '2020-01-01T00:00:00Z', hostname: 'old' },
        { ...snapshot, id: id('e'), time: '2031-01-01T00:00:00Z', hostname: 'future' },
        { ...snapshot, id: id('d'), time: now, hostname: 'laptop' },
        { ...snapshot, id: record.snapshotId, time: record.startedAt, hostname: 'local' },
      ],
    });
    const { data } = await call<{ items: object[]; total: number; hostnames: string[] }>(
      'GET',
      `/repositories/${record.repositoryId}/snapshots`,
    );
    expect(data.items).toMatchObject([
      { recordId: record.id, taskName: 'documents', isTimeSuspect: false },
      { recordId: null, hostname: 'laptop', arrivedAt: now, isTimeSuspect: false },
      { recordId: null, hostname: 'future', isTimeSuspect: true },
      { recordId: null, hostname: 'old', arrivedAt: null, isTimeSuspect: false },
    ]);
    expect(data.hostnames).toEqual(['future', 'laptop', 'local', 'old']);
    const answer = await test.http.inject(
      `/api/repositories/${record.repositoryId}/snapshots/latest/download?path=/x&format=zip`,
    );
    expect(answer.body).toBe(`${record.snapshotId} /x zip`);
    expect(answer.headers['content-disposition']).toContain('x.zip');
    expect((await call('GET', `/repositories/${record.repositoryId}/snapshots/0123/contents`)).data.code).toBe(
      'SNAPSHOT_NOT_FOUND',
    );
  });
});
