/** The mode `repository` through the whole product: real master, real agent, real storages; stock restic as judge. */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { MaintenanceRecord } from '@backupx/contracts/api/maintenance';
import type { BackupRecord } from '@backupx/contracts/api/records';
import type { Repository } from '@backupx/contracts/api/repositories';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RadosGateway, startRadosGateway } from '../servers/radosgw.ts';
import { type Agent, startAgent, waitForOnline } from '../support/agent.ts';
import { compareTrees } from '../support/compare-trees.ts';
import { makeTree } from '../support/make-tree.ts';
import {
  createLocalTarget,
  createTask,
  type Master,
  restoreRecord,
  runTask,
  startMaster,
  waitForRecord,
} from '../support/master.ts';
import { restic } from '../support/restic.ts';
import { startProgram, waitFor } from '../support/start-program.ts';
import { makeWorkFolder } from '../support/work-folder.ts';

const work = makeWorkFolder('repository');
const source = work.at('source');
let master: Master;
let agent: Agent;
let s3: RadosGateway;

beforeAll(async () => {
  makeTree(source, { files: 3000, seed: 5 });
  s3 = await startRadosGateway();
  master = await startMaster(work.path);
  agent = await startAgent(master.client, work.at('agent'), 'web-01');
}, 180_000);
afterAll(async () => {
  await agent?.stop();
  await master?.stop();
  await s3?.stop();
  work.remove();
});

const call = <T>(method: string, route: string, body?: unknown): Promise<T> =>
  master.client.call<T>(method, route, body);

async function addS3Target(name: string): Promise<number> {
  const { id } = await call<{ id: number }>('POST', '/api/storage-targets', {
    name,
    type: 's3',
    config: {
      endpoint: s3.endpoint,
      region: 'us-east-1',
      bucket: s3.bucket,
      prefix: name,
      accessKeyId: s3.accessKeyId,
      secretAccessKey: s3.secretAccessKey,
      forcePathStyle: true,
    },
  });
  return id;
}

function addTask(name: string, nodeId: number, storageTargetIds: number[], more: object = {}) {
  const input = { name, nodeId, storageTargetIds, sourcePaths: [source], backupMode: 'repository' as const, ...more };
  return createTask(master.client, input);
}

async function succeeded(record: BackupRecord): Promise<BackupRecord> {
  expect(record.errorMessage).toBe('');
  expect(record.status).toBe('success');
  expect(record.snapshotId).toMatch(/^[0-9a-f]{64}$/);
  expect(record.checksum).toBe(record.snapshotId);
  expect(record.fileName).toBe(`snapshot ${record.snapshotId.slice(0, 8)}`);
  expect(record.storagePath).toMatch(new RegExp(`/snapshots/${record.snapshotId}$`));
  return record;
}

async function repositoryOf(record: BackupRecord): Promise<Repository> {
  return await call('GET', `/api/repositories/${record.repositoryId}`);
}

async function restoredIsIdentical(record: BackupRecord, name: string): Promise<void> {
  const folder = work.at(`restored-${name}`);
  const restore = await restoreRecord(master.client, record.id, { targetPath: folder });
  expect(restore.errorMessage).toBe('');
  expect(restore.status).toBe('success');
  expect(compareTrees(source, path.join(folder, 'source'))).toEqual([]);
}

/** Starts maintenance and waits for its end. */
async function maintain(route: string, body: object = {}): Promise<MaintenanceRecord> {
  const { id } = await call<MaintenanceRecord>('POST', route, body);
  return await maintenanceEnd(id);
}

function maintenanceEnd(id: number): Promise<MaintenanceRecord> {
  return waitFor(
    `maintenance ${id} ends`,
    async () => {
      const record = await call<MaintenanceRecord>('GET', `/api/maintenance/records/${id}`);
      return record.status === 'running' ? null : record;
    },
    120_000,
  );
}

function bytesBelow(folder: string): number {
  let total = 0;
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    // Files of uploads under way may be gone by now.
    const file = statSync(path.join(entry.parentPath, entry.name), { throwIfNoEntry: false });
    if (file?.isFile()) total += file.size;
  }
  return total;
}

/** Old versions of stock restic fill the holes of sparse files. */
const likeRestic = { isCheckingSparse: false };

/** Types the kit's commands into a shell, with what the kit leaves out filled in. */
async function restoreByKit(repository: Repository, cwd: string, secret = ''): Promise<void> {
  const response = await fetch(`${master.url}/api/repositories/${repository.id}/recovery-kit`, {
    headers: { authorization: `Bearer ${master.client.token}` },
  });
  const kit = await response.text();
  const commands = kit
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => /^(export RESTIC_|restic )/.test(line))
    .map((line) => line.replace('<the secret key of the bucket>', secret));
  expect(commands).toHaveLength(3);
  mkdirSync(cwd, { recursive: true });
  const env = { PATH: process.env.PATH ?? '', HOME: cwd };
  execFileSync('/bin/sh', ['-e', '-c', commands.join('\n')], { cwd, env, stdio: 'pipe' });
}

describe('a repository on the master', () => {
  let first: BackupRecord;
  let taskId: number;
  const store = work.at('store');

  it('is made by the first run and holds a snapshot that restores identical', async () => {
    const target = await createLocalTarget(master.client, store, { name: 'local' });
    taskId = (await addTask('local', 0, [target.id])).id;
    first = await succeeded(await runTask(master.client, taskId));
    expect(first.snapshot?.filesNew).toBeGreaterThan(3000);
    expect(existsSync(path.join(store, first.storagePath))).toBe(true);
    const repository = await repositoryOf(first);
    expect(repository).toMatchObject({ state: 'ok', version: 2, recordCount: 1, taskCount: 1, activeLeases: 0 });
    await restoredIsIdentical(first, 'local');
  });

  it('takes next to nothing for an unchanged source', async () => {
    const before = bytesBelow(store);
    const second = await succeeded(await runTask(master.client, taskId));
    expect(second.snapshot).toMatchObject({ filesNew: 0, filesChanged: 0, parentId: first.snapshotId });
    expect(bytesBelow(store) - before).toBeLessThan(20_000);
  });

  it('is browsed, searched and compared', async () => {
    const { items, total } = await call<{ items: { id: string; recordId: number }[]; total: number }>(
      'GET',
      `/api/repositories/${first.repositoryId}/snapshots`,
    );
    expect(total).toBe(2);
    expect(items.at(-1)).toMatchObject({ id: first.snapshotId, recordId: first.id, isTimeSuspect: false });
    const folder = encodeURIComponent(source);
    const contents = await call<{ entries: { name: string }[]; total: number }>(
      'GET',
      `/api/backup/records/${first.id}/contents?path=${folder}`,
    );
    expect(contents.entries.map((entry) => entry.name)).toContain('kinds');
    const found = await call<{ hits: { path: string; snapshotIds: string[] }[] }>(
      'GET',
      `/api/repositories/${first.repositoryId}/find?pattern=file-77.txt`,
    );
    expect(found.hits).toMatchObject([{ path: expect.stringMatching(/\/file-77\.txt$/) }]);
    expect(found.hits[0]?.snapshotIds).toHaveLength(2);
    const ids = `from=${first.snapshotId}&to=latest`;
    const diff = await call<{ changes: { path: string }[] }>(
      'GET',
      `/api/repositories/${first.repositoryId}/diff?${ids}`,
    );
    // Folders above the source belong to others and change all the time.
    expect(diff.changes.filter((change) => change.path.startsWith(source))).toEqual([]);
  });

  it('gives out one file and a folder', async () => {
    const file = path.join(source, 'd0', 'e0', 'file-253.txt');
    const get = (query: string) =>
      fetch(`${master.url}/api/repositories/${first.repositoryId}/snapshots/latest/download?${query}`, {
        headers: { authorization: `Bearer ${master.client.token}` },
      });
    const raw = await get(`format=raw&path=${encodeURIComponent(file)}`);
    expect(raw.headers.get('content-disposition')).toContain('file-253.txt');
    expect(Buffer.from(await raw.arrayBuffer())).toEqual(readFileSync(file));
    const tar = await get(`format=tar&path=${encodeURIComponent(path.join(source, 'd0'))}`);
    const archive = work.at('d0.tar');
    writeFileSync(archive, Buffer.from(await tar.arrayBuffer()));
    expect(execFileSync('tar', ['-tf', archive], { encoding: 'utf8' })).toContain('e0/file-253.txt');
    expect((await get(`format=raw&path=${encodeURIComponent('/no/such/file')}`)).status).toBeGreaterThanOrEqual(400);
  });

  it('satisfies stock restic, and its kit restores with three commands', async () => {
    const repository = await repositoryOf(first);
    await restoreByKit(repository, work.at('kit-local'));
    expect(compareTrees(source, path.join(work.at('kit-local'), 'restored', source), likeRestic)).toEqual([]);
    expect((await repositoryOf(first)).recoveryKitDownloadedAt).not.toBeNull();
  });

  it('gives space back when its snapshots are deleted and it is cleaned up', async () => {
    const big = path.join(source, 'big.bin');
    const noise = Buffer.alloc(6_000_000);
    for (let index = 0; index < noise.length; index += 4) noise.writeUInt32LE((index * 2_654_435_761) >>> 0, index);
    writeFileSync(big, noise);
    const heavy = await succeeded(await runTask(master.client, taskId));
    const full = bytesBelow(store);
    execFileSync('rm', [big]);
    const last = await succeeded(await runTask(master.client, taskId));
    await call('DELETE', `/api/backup/records/${heavy.id}`);
    expect(existsSync(path.join(store, heavy.storagePath))).toBe(false);
    const mark = await maintain(`/api/repositories/${first.repositoryId}/prune`, { maxUnusedShare: 0 });
    expect(mark).toMatchObject({ status: 'success', kind: 'prune', errorMessage: '' });
    // No older run is under way, so the sweep follows by itself.
    await waitFor(
      'the sweep ends',
      async () => {
        const { items } = await call<{ items: MaintenanceRecord[] }>(
          'GET',
          `/api/maintenance/records?repositoryId=${first.repositoryId}&kind=sweep`,
        );
        const sweep = items[0];
        if (sweep && !['running', 'success'].includes(sweep.status)) throw new Error(sweep.errorMessage);
        return sweep?.status === 'success' ? sweep : null;
      },
      60_000,
    );
    expect(full - bytesBelow(store)).toBeGreaterThan(noise.length / 2);
    expect(await repositoryOf(first)).toMatchObject({ condemnedPacks: 0 });
    expect(await maintain(`/api/repositories/${first.repositoryId}/check`, { read: 'all' })).toMatchObject({
      status: 'success',
      problemCount: 0,
    });
    await restoredIsIdentical(last, 'after-prune');
  });

  it('shows damage on the repository and the overview until it is gone', async () => {
    const repository = await repositoryOf(first);
    const data = path.join(store, repository.prefix, 'data');
    const packs = readdirSync(data, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    const pack = packs[0] ? path.join(packs[0].parentPath, packs[0].name) : '';
    const whole = readFileSync(pack);
    const broken = Buffer.from(whole);
    broken[10] = (broken[10] ?? 0) ^ 0xff;
    execFileSync('chmod', ['u+w', pack]);
    writeFileSync(pack, broken);
    const found = await maintain(`/api/repositories/${repository.id}/check`, { read: 'all' });
    expect(found).toMatchObject({ status: 'warning', kind: 'check' });
    expect(found.problemCount).toBeGreaterThan(0);
    expect(await repositoryOf(first)).toMatchObject({ state: 'damaged', lastCheckOk: false });
    const overview = await call<{ exceptions: { taskId: number; reason: string }[]; repositories: object }>(
      'GET',
      '/api/dashboard/overview',
    );
    expect(overview.repositories).toMatchObject({ damaged: [{ id: repository.id }] });
    expect(overview.exceptions).toContainEqual(expect.objectContaining({ taskId, reason: 'repository_damaged' }));
    writeFileSync(pack, whole);
    expect(await maintain(`/api/repositories/${repository.id}/check`)).toMatchObject({ status: 'success' });
    expect(await repositoryOf(first)).toMatchObject({ state: 'damaged' });
    await maintain(`/api/repositories/${repository.id}/check`, { read: 'all' });
    expect(await repositoryOf(first)).toMatchObject({ state: 'ok', problemCount: 0 });
  });
});

/** Files that no compression makes small. */
function makeNoise(folder: string): string {
  mkdirSync(folder);
  for (let index = 0; index < 100; index += 1)
    writeFileSync(path.join(folder, `noise-${index}`), randomBytes(4_000_000));
  return folder;
}

/** Looks at the storage itself: what a run tells of its progress comes later. */
function dataIsStored(store: string): Promise<boolean> {
  return waitFor('data is stored', async () => existsSync(store) && bytesBelow(store) > 10_000_000, 60_000);
}

describe('a kill of the master in the middle', () => {
  it('leaves a clean repository and no lease, and the next run goes on', async () => {
    const target = await createLocalTarget(master.client, work.at('master-kill-store'), { name: 'master kill' });
    const big = makeNoise(work.at('master-big'));
    const task = await addTask('master-killed', 0, [target.id], { sourcePaths: [big] });
    const started = await call<BackupRecord>('POST', `/api/backup/tasks/${task.id}/run`);
    await dataIsStored(work.at('master-kill-store'));
    await master.stop('SIGKILL');
    await master.restart();
    expect(await waitForRecord(master.client, started.id)).toMatchObject({ status: 'interrupted' });
    await waitForOnline(master.client, agent.nodeId);
    const record = await succeeded(await runTask(master.client, task.id));
    expect(await repositoryOf(record)).toMatchObject({ activeLeases: 0, runningMaintenanceId: null });
    const checked = await maintain(`/api/repositories/${record.repositoryId}/check`, { read: 'all' });
    expect(checked).toMatchObject({ status: 'success', errorMessage: '' });
  });
});

describe('a repository on an agent', () => {
  it('lies on S3 with a second copy behind the relay; both restore identical', async () => {
    const targets = [
      await addS3Target('fleet'),
      (await createLocalTarget(master.client, work.at('relay-store'), { name: 'relay', masterRelay: true })).id,
    ];
    const task = await addTask('agent-two', agent.nodeId, targets);
    const record = await succeeded(await runTask(master.client, task.id));
    expect(record.targets).toMatchObject([
      { targetId: targets[0], status: 'success' },
      { targetId: targets[1], status: 'success', viaMaster: true },
    ]);
    const copy = path.join(work.at('relay-store'), record.targets[1]?.storagePath ?? '');
    expect(existsSync(copy)).toBe(true);
    expect(path.basename(copy)).not.toBe(record.snapshotId);
    await restoredIsIdentical(record, 'agent-s3');
    const repository = await repositoryOf(record);
    await restoreByKit(repository, work.at('kit-s3'), s3.secretAccessKey);
    expect(compareTrees(source, path.join(work.at('kit-s3'), 'restored', source), likeRestic)).toEqual([]);
    const { items } = await call<{ items: Repository[] }>('GET', '/api/repositories');
    const relayed = items.find((item) => item.storageTargetName === 'relay');
    if (!relayed) throw new Error('there is no repository behind the relay');
    await restoreByKit(relayed, work.at('kit-relay'));
    expect(compareTrees(source, path.join(work.at('kit-relay'), 'restored', source), likeRestic)).toEqual([]);
    const again = await succeeded(await runTask(master.client, task.id));
    expect(again.snapshot).toMatchObject({ filesNew: 0, filesChanged: 0 });
    await call('DELETE', `/api/backup/records/${record.id}`);
    expect(existsSync(copy)).toBe(false);
  });

  it('goes through the relay alone, without the storage leaving the master', async () => {
    const target = await createLocalTarget(master.client, work.at('relay-2'), { name: 'relay 2', masterRelay: true });
    const task = await addTask('agent-relay', agent.nodeId, [target.id]);
    const record = await succeeded(await runTask(master.client, task.id));
    await restoredIsIdentical(record, 'agent-relay');
    const repository = await repositoryOf(record);
    expect(repository).toMatchObject({ isReachableFromMaster: true, nodeId: agent.nodeId });
    const { items } = await call<{ items: { arrivedAt: string | null }[] }>(
      'GET',
      `/api/repositories/${repository.id}/snapshots`,
    );
    expect(items).toMatchObject([{ arrivedAt: expect.any(String), isTimeSuspect: false }]);
    const checked = await maintain(`/api/repositories/${repository.id}/check`, { read: 'all' });
    expect(checked).toMatchObject({ status: 'success', nodeName: 'local' });
  });

  it('lies on the disk of the agent, which keeps it itself', async () => {
    const target = await createLocalTarget(master.client, work.at('agent-store'), { name: 'agent disk' });
    const task = await addTask('agent-disk', agent.nodeId, [target.id]);
    const record = await succeeded(await runTask(master.client, task.id));
    await restoredIsIdentical(record, 'agent-disk');
    const repository = await repositoryOf(record);
    expect(repository).toMatchObject({ isReachableFromMaster: false, gatewayPath: '' });
    const list = await call<{ total: number }>('GET', `/api/repositories/${repository.id}/snapshots`);
    expect(list.total).toBe(1);
    const checked = await maintain(`/api/repositories/${repository.id}/check`, { read: 'all' });
    expect(checked).toMatchObject({ status: 'success', nodeName: 'web-01', errorMessage: '' });
    expect(checked.logContent).not.toBe('');
    await call('DELETE', `/api/backup/records/${record.id}`);
    expect(existsSync(path.join(work.at('agent-store'), record.storagePath))).toBe(false);
    expect(await maintain(`/api/repositories/${repository.id}/prune`)).toMatchObject({ status: 'success' });
  });

  it('is left clean by a kill in the middle, and the next run goes on', async () => {
    const target = await createLocalTarget(master.client, work.at('kill-store'), { name: 'kill', masterRelay: true });
    const big = makeNoise(work.at('big-source'));
    const task = await addTask('killed', agent.nodeId, [target.id], { sourcePaths: [big] });
    const started = await call<BackupRecord>('POST', `/api/backup/tasks/${task.id}/run`);
    await dataIsStored(work.at('kill-store'));
    await agent.stop('SIGKILL');
    agent.restart();
    await waitForOnline(master.client, agent.nodeId);
    const killed = await waitForRecord(master.client, started.id);
    expect(['interrupted', 'failed']).toContain(killed.status);
    const record = await succeeded(await runTask(master.client, task.id));
    expect(await repositoryOf(record)).toMatchObject({ activeLeases: 0 });
    const checked = await maintain(`/api/repositories/${record.repositoryId}/check`, { read: 'all' });
    expect(checked).toMatchObject({ status: 'success', errorMessage: '' });
    const folder = work.at('restored-killed');
    expect(await restoreRecord(master.client, record.id, { targetPath: folder })).toMatchObject({ status: 'success' });
    expect(compareTrees(big, path.join(folder, 'big-source'))).toEqual([]);
  });

  it('waits for a master that is killed and started again, and saves its snapshot', async () => {
    const store = work.at('away-store');
    const target = await createLocalTarget(master.client, store, { name: 'away', masterRelay: true });
    const big = work.at('big-source');
    const task = await addTask('waiting', agent.nodeId, [target.id], { sourcePaths: [big] });
    const started = await call<BackupRecord>('POST', `/api/backup/tasks/${task.id}/run`);
    await dataIsStored(store);
    await master.stop('SIGKILL');
    // Longer than what fails is tried again where somebody waits for the answer.
    await new Promise((resolve) => setTimeout(resolve, 8_000));
    await master.restart();
    const record = await succeeded(await waitForRecord(master.client, started.id));
    expect(record.logContent).toMatch(/away: .*cannot be reached.* Trying again for up to 15 minutes\./);
    expect(record.logContent).toContain('away answers again.');
    const folder = work.at('restored-away');
    expect(await restoreRecord(master.client, record.id, { targetPath: folder })).toMatchObject({ status: 'success' });
    expect(compareTrees(big, path.join(folder, 'big-source'))).toEqual([]);
  });
});

describe('the command line without the master', () => {
  const password = work.at('cli-password');
  const repo = async (args: readonly string[], env: Record<string, string>): Promise<string> => {
    const program = startProgram(['repo', ...args, '--password-file', password], { env });
    expect(await program.ended, program.output()).toBe(0);
    return program.output();
  };

  it('makes a repository in a bucket, saves into it and restores identical', async () => {
    writeFileSync(password, 'by hand\n', { mode: 0o600 });
    const place = ['--repo', `s3:${s3.endpoint}/${s3.bucket}/by-hand`];
    const env = { AWS_ACCESS_KEY_ID: s3.accessKeyId, AWS_SECRET_ACCESS_KEY: s3.secretAccessKey };
    await repo(['init', ...place], env);
    await repo(['backup', source, ...place], env);
    const folder = work.at('by-hand');
    await repo(['restore', `latest:${source}`, '--target', folder, ...place], env);
    expect(compareTrees(source, path.join(folder, 'source'))).toEqual([]);
  });
});

describe('a repository that stock restic made', () => {
  it('is taken in by place and password; its snapshots are browsed and restored, never counted as ours', async () => {
    const place = work.at('foreign');
    const foreign = restic.open(path.join(place, 'mine'), 'their password');
    mkdirSync(place);
    await foreign.ok(['init']);
    await foreign.ok(['backup', '--host', 'elsewhere', source]);
    const target = await createLocalTarget(master.client, place, { name: 'foreign' });
    const wrong = { storageTargetId: target.id, prefix: 'mine', password: 'not it' };
    await expect(call('POST', '/api/repositories/adopt', wrong)).rejects.toMatchObject({
      code: 'REPOSITORY_WRONG_PASSWORD',
    });
    const { repository, snapshotCount } = await call<{ repository: Repository; snapshotCount: number }>(
      'POST',
      '/api/repositories/adopt',
      { ...wrong, password: 'their password' },
    );
    expect(snapshotCount).toBe(1);
    expect(repository).toMatchObject({ isAdopted: true, nodeId: 0, state: 'ok', recordCount: 0 });
    const { items } = await call<{ items: { id: string; recordId: null; hostname: string }[] }>(
      'GET',
      `/api/repositories/${repository.id}/snapshots`,
    );
    expect(items).toMatchObject([{ recordId: null, hostname: 'elsewhere', arrivedAt: null }]);
    const start = await call<{ id: number }>('POST', `/api/repositories/${repository.id}/snapshots/latest/restore`, {
      targetPath: work.at('restored-foreign'),
    });
    const restore = await waitFor(
      'the restore ends',
      async () => {
        const current = await call<{ status: string; errorMessage: string }>('GET', `/api/restore/records/${start.id}`);
        return current.status === 'running' ? null : current;
      },
      60_000,
    );
    expect(restore).toMatchObject({ status: 'success', errorMessage: '' });
    const copied = await maintain(`/api/repositories/${repository.id}/check`, { read: 'all' });
    expect(copied).toMatchObject({ status: 'success' });
  });

  it('is served to stock restic by the master, which may add and not delete', async () => {
    const target = await createLocalTarget(master.client, work.at('served'), { name: 'served' });
    const { repository, recoveryKit } = await call<{ repository: Repository; recoveryKit: string }>(
      'POST',
      '/api/repositories',
      { name: 'served', storageTargetId: target.id },
    );
    const password = /Password: +(\S+)/.exec(recoveryKit)?.[1] ?? '';
    const access = await call<{ username: string; token: string; path: string }>(
      'POST',
      `/api/repositories/${repository.id}/gateway-token`,
    );
    const host = master.url.replace('http://', '');
    const url = `rest:http://${access.username}:${access.token}@${host}${access.path}`;
    const client = restic.open(url, password);
    await client.ok(['backup', '--host', 'laptop', source]);
    // It would ask again for minutes.
    const forgotten = await client.run(['forget', 'latest', '--prune'], { stopAt: /403/ });
    expect(forgotten.status).not.toBe(0);
    expect(forgotten.stderr).toContain('403');
    await client.ok(['unlock']);
    const { items } = await call<{ items: { id: string; arrivedAt: string; isTimeSuspect: boolean }[] }>(
      'GET',
      `/api/repositories/${repository.id}/snapshots`,
    );
    expect(items).toMatchObject([{ arrivedAt: expect.any(String), isTimeSuspect: false, hostname: 'laptop' }]);
    writeFileSync(work.at('served-password'), `${password}\n`, { mode: 0o600 });
    const ours = startProgram(
      [
        'repo',
        'snapshots',
        '--repo',
        `rest:${master.url}${access.path}`,
        '--password-file',
        work.at('served-password'),
      ],
      { env: { RESTIC_REST_USERNAME: access.username, RESTIC_REST_PASSWORD: access.token } },
    );
    expect(await ours.ended, ours.output()).toBe(0);
    expect(ours.output()).toMatch(/^[0-9a-f]{8} .* laptop /m);
    await client.ok(['backup', '--host', 'laptop', '--time', '2020-01-01 00:00:00', source]);
    const dated = await call<{ items: { isTimeSuspect: boolean }[] }>(
      'GET',
      `/api/repositories/${repository.id}/snapshots`,
    );
    expect(dated.items.filter((item) => item.isTimeSuspect)).toHaveLength(1);

    // An intruder cannot push the good one out.
    await client.ok(['backup', '--host', 'laptop', '--time', '2031-01-01 00:00:00', source]);
    const dropped = await maintain(`/api/repositories/${repository.id}/forget`, { policy: { last: 1 } });
    expect(dropped).toMatchObject({ status: 'success', errorMessage: '' });
    const { items: left } = await call<{ items: { id: string; isTimeSuspect: boolean }[] }>(
      'GET',
      `/api/repositories/${repository.id}/snapshots`,
    );
    expect(left.filter((item) => item.isTimeSuspect)).toHaveLength(2);
    expect(left.filter((item) => !item.isTimeSuspect)).toMatchObject([{ id: items[0]?.id }]);
  });
});
