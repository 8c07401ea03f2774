/** Repositories and agents: capabilities, specifications, reports, and leases of work that is out of sight. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AgentMaintenanceSpec, AgentTaskSpec, HeartbeatBody } from '@backupx/contracts/agent-protocol';
import { jobLanes } from '@backupx/contracts/jobs';
import { createFakeClock, type FakeClock } from '@backupx/engine/testing/fake-clock';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startTestMaster, type TestMaster } from './connect-test-fleet.ts';
import { createRepositoryDirectory, hashGatewayToken } from './features/repositories/repository-directory.ts';

const HOUR_MS = 3_600_000;
const capabilities = {
  sources: ['file'],
  storages: ['local_disk'],
  jobs: Object.keys(jobLanes),
  modes: ['full', 'repository'],
};

interface Command {
  id: number;
  type: string;
  payload: { taskId: number; recordId: number; maintenanceRecordId: number; kind?: string };
}

let clock: FakeClock;
let folder: string;
let master: TestMaster;
let node: { id: number; token: string };
let targetId: number;
let taskId: number;

async function agent<T>(method: string, path: string, body?: object) {
  const answer = await fetch(`${master.url}/api/agent${path}`, {
    method,
    headers: { 'x-agent-token': node.token, 'x-agent-protocol': '2', 'content-type': 'application/json' },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
  const json = (await answer.json()) as { code: string; data?: unknown };
  return { status: answer.status, code: json.code, data: json.data as T };
}
const beat = (more: HeartbeatBody = {}) =>
  agent('POST', '/heartbeat', { instanceId: 'i1', bootId: 'b1', capabilities, ...more });
async function poll(): Promise<Command> {
  const body = { waitMs: 0, free: { work: 1, control: 4 } };
  const { data } = await agent<{ command: Command | null }>('POST', '/commands/poll', body);
  if (!data.command) throw new Error('nothing was handed out');
  return data.command;
}
/** A run that was claimed and whose specification was fetched. */
async function started(): Promise<{ command: Command; spec: AgentTaskSpec }> {
  const { status, data } = await master.call('POST', `/backup/tasks/${taskId}/run`, {});
  expect(status, JSON.stringify(data)).toBe(200);
  const command = await poll();
  return { command, spec: (await agent<AgentTaskSpec>('GET', `/tasks/${taskId}`)).data };
}
const openLeases = async () =>
  (await master.db.selectFrom('repository_leases').selectAll().where('ended_at', 'is', null).execute()).length;

const ID = 'd'.repeat(64);
function success(prefix: string, more: object = {}) {
  const storagePath = `${prefix}/snapshots/${ID}`;
  const counts = { filesNew: 1, filesChanged: 0, filesUnmodified: 0, blobsAdded: 1, bytesAdded: 1, bytesStored: 9 };
  return {
    status: 'success',
    fileName: 'snapshot dddddddd',
    fileSize: 0,
    checksum: ID,
    storagePath,
    targets: [{ targetId, targetName: 'relay', status: 'success', storagePath, viaMaster: true }],
    snapshot: { snapshotId: ID, parentId: null, ...counts },
    ...more,
  };
}

beforeEach(async () => {
  clock = createFakeClock();
  folder = mkdtempSync(join(tmpdir(), 'fleet-repositories-'));
  master = await startTestMaster({ clock, path: join(folder, 'test.db') });
  node = await master.addNode('web-1');
  await beat();
  targetId = await master.addTarget('relay', { basePath: '/srv/store', masterRelay: true });
  taskId = await master.addTask(node.id, targetId, { backupMode: 'repository' });
});
afterEach(async () => {
  await master.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('a run into a repository on an agent', () => {
  it('gets access through the gateway, without the settings of the storage', async () => {
    const { spec } = await started();
    expect(spec.repositories).toMatchObject([
      { id: 1, prefix: `repositories/web-1-${node.id}`, target: { viaMaster: true, config: {} }, leaseId: 1 },
    ]);
    expect(spec.repositories?.[0]?.unlock).toHaveProperty('masterKey');
    expect(JSON.stringify(spec)).not.toContain('/srv/store');
    expect(spec.snapshot).toMatchObject({ hostname: 'web-1' });
  });

  it('keeps its node while it lies on its disk alone', async () => {
    const { command } = await started();
    await agent('POST', `/records/${command.payload.recordId}`, success(`repositories/web-1-${node.id}`));
    await master.db.updateTable('repositories').set({ is_on_node_disk: 1 }).execute();
    await master.call('DELETE', `/backup/tasks/${taskId}`);
    const { status, data } = await master.call('DELETE', `/nodes/${node.id}`);
    expect([status, data.code]).toEqual([400, 'NODE_HAS_REPOSITORIES']);
    expect(data.message).toContain('1 repository');
    await master.db.updateTable('repositories').set({ is_on_node_disk: 0 }).execute();
    expect((await master.call('DELETE', `/nodes/${node.id}`)).status).toBe(200);
  });

  it('ends with its snapshot, and may name no place but its own', async () => {
    const { command } = await started();
    const path = `/records/${command.payload.recordId}`;
    const prefix = `repositories/web-1-${node.id}`;
    expect((await agent('POST', path, success('repositories/other-9'))).code).toBe('BACKUP_RECORD_FORBIDDEN');
    const wrongTarget = success(prefix, {
      targets: [{ targetId, targetName: '', status: 'success', storagePath: `${prefix}/data/${ID}` }],
    });
    expect((await agent('POST', path, wrongTarget)).code).toBe('BACKUP_RECORD_FORBIDDEN');
    expect((await agent('POST', path, success(prefix, { snapshot: null }))).code).toBe('INVALID_INPUT');
    expect((await agent('POST', path, success(prefix))).code).toBe('OK');
    expect(await master.record(command.payload.recordId)).toMatchObject({ status: 'success', snapshotId: ID });
    expect(await openLeases()).toBe(0);
  });

  it('is refused when the agent turns out to be an older one', async () => {
    await master.call('POST', `/backup/tasks/${taskId}/run`, {});
    await beat({ capabilities: { sources: ['file'], storages: ['local_disk'] } });
    await poll();
    expect(await agent('GET', `/tasks/${taskId}`)).toMatchObject({ status: 400, code: 'NOT_SUPPORTED' });
  });
});

describe('a lease of work that is out of sight', () => {
  async function lost(): Promise<Command> {
    const { command } = await started();
    await clock.advance(7 * HOUR_MS);
    await master.fleet.commands.scan();
    expect(await master.record(command.payload.recordId)).toMatchObject({ status: 'interrupted' });
    expect(await openLeases()).toBe(1);
    return command;
  }

  it('stays open while the agent is silent, and while it says that it is at it', async () => {
    const command = await lost();
    await beat({ activeCommandIds: [command.id] });
    expect(await openLeases()).toBe(1);
  });

  it('ends when a new process of the agent does not know it', async () => {
    await lost();
    await beat({ bootId: 'b2', activeCommandIds: [] });
    expect(await openLeases()).toBe(0);
  });

  it('ends when the same process does not name it any more', async () => {
    await lost();
    await beat({ activeCommandIds: [] });
    expect(await openLeases()).toBe(0);
  });

  it('ends with the late report of the run, which may even repair the record', async () => {
    const command = await lost();
    await agent('POST', `/records/${command.payload.recordId}`, success(`repositories/web-1-${node.id}`));
    expect(await master.record(command.payload.recordId)).toMatchObject({ status: 'success' });
    expect(await openLeases()).toBe(0);
  });

  it('survives a restart of the master, and is settled after it', async () => {
    await lost();
    await master.close();
    master = await startTestMaster({ clock, path: join(folder, 'test.db') });
    expect(await openLeases()).toBe(1);
    await beat({ bootId: 'b2', activeCommandIds: [] });
    expect(await openLeases()).toBe(0);
  });

  it('stays open after a cancel that the silent agent did not hear', async () => {
    const { command } = await started();
    await clock.advance(60_000);
    await master.call('POST', `/backup/records/${command.payload.recordId}/cancel`, {});
    expect(await master.record(command.payload.recordId)).toMatchObject({ status: 'cancelled' });
    expect(await openLeases()).toBe(1);
    const late = await agent('POST', `/records/${command.payload.recordId}`, {
      status: 'failed',
      outcome: 'cancelled',
    });
    expect(late.code).toBe('OK');
    expect(await openLeases()).toBe(0);
  });

  it('ends at once when the run was never handed out', async () => {
    const { data } = await master.call<{ id: number }>('POST', `/backup/tasks/${taskId}/run`, {});
    await master.call('POST', `/backup/records/${data.id}/cancel`, {});
    expect(await openLeases()).toBe(0);
  });

  it('ends with the deletion of the node', async () => {
    await lost();
    await master.call('DELETE', `/backup/tasks/${taskId}`);
    expect((await master.call('DELETE', `/nodes/${node.id}`)).status).toBe(200);
    expect(await openLeases()).toBe(0);
  });
});

describe('maintenance on an agent', () => {
  async function ownRepository(): Promise<number> {
    const own = await master.addTarget('own disk', { basePath: '/mnt' });
    const task = await master.addTask(node.id, own, { backupMode: 'repository' });
    await master.call('POST', `/backup/tasks/${task}/run`, {});
    const command = await poll();
    // The specification waits until the agent itself has made the repository on its disk.
    const spec = agent<AgentTaskSpec>('GET', `/tasks/${task}`);
    const question = await master.until(async () => await poll().catch(() => null));
    expect(question).toMatchObject({ type: 'run_job', payload: { kind: 'init_repository' } });
    const result = { repositoryId: ID, version: 2, chunkerPolynomial: '1', masterKey: 'bQ==', snapshotCount: 0 };
    await agent('POST', `/commands/${question.id}/result`, { success: true, result });
    expect((await spec).data.repositories).toMatchObject([
      { target: { viaMaster: false, config: { basePath: '/mnt' } } },
    ]);
    await agent('POST', `/records/${command.payload.recordId}`, { status: 'failed', errorMessage: 'x' });
    return (await spec).data.repositories?.[0]?.id ?? 0;
  }

  it('is fetched, reported with log and progress, and ends like everything else', async () => {
    const id = await ownRepository();
    const { data } = await master.call<{ id: number }>('POST', `/repositories/${id}/check`, { read: 'all' });
    const command = await poll();
    expect(command).toMatchObject({ type: 'run_maintenance', payload: { maintenanceRecordId: data.id } });
    const path = `/maintenance/${data.id}`;
    const spec = (await agent<AgentMaintenanceSpec>('GET', `${path}/spec`)).data;
    expect(spec.job).toMatchObject({
      kind: 'check_repository',
      read: 'all',
      repository: { id, leaseId: expect.any(Number) },
    });
    await agent('POST', path, { logAppend: 'looking', logSequence: 1 });
    const result = {
      status: 'damaged',
      problems: [{ code: 'pack_damaged', object: ID, message: 'x', level: 'error' }],
      problemCount: 1,
      snapshotCount: 1,
      intactSnapshotIds: [],
      packCount: 1,
      blobCount: 1,
      bytesRead: 5,
    };
    await agent('POST', path, { status: 'success', result });
    expect((await master.call('GET', `/maintenance/records/${data.id}`)).data).toMatchObject({
      status: 'warning',
      nodeName: 'web-1',
      logContent: expect.stringContaining('looking'),
      result: { check: { problemCount: 1, problems: [{ code: 'pack_damaged' }] } },
    });
    expect((await master.call('GET', `/repositories/${id}`)).data).toMatchObject({ state: 'damaged' });
    expect(await openLeases()).toBe(0);
  });

  it('a mark that was given up condemns nothing afterwards', async () => {
    const id = await ownRepository();
    const { data } = await master.call<{ id: number }>('POST', `/repositories/${id}/prune`, {});
    await poll();
    await agent('GET', `/maintenance/${data.id}/spec`);
    await clock.advance(7 * HOUR_MS);
    await master.fleet.commands.scan();
    const pruned = {
      packsBefore: 1,
      packsRemoved: 0,
      packsRepacked: 0,
      bytesBefore: 1,
      bytesFreed: 1,
      bytesUnusedLeft: 0,
    };
    const late = { status: 'success', result: { ...pruned, condemnedPacks: [ID] } };
    expect((await agent('POST', `/maintenance/${data.id}`, late)).code).toBe('OK');
    expect((await master.call('GET', `/repositories/${id}`)).data).toMatchObject({
      condemnedPacks: 0,
      activeLeases: 0,
    });
  });

  it('belongs to its node alone', async () => {
    const id = await ownRepository();
    const { data } = await master.call<{ id: number }>('POST', `/repositories/${id}/check`, {});
    node = await master.addNode('web-2');
    expect((await agent('GET', `/maintenance/${data.id}/spec`)).code).toBe('MAINTENANCE_RECORD_FORBIDDEN');
    expect((await agent('POST', `/maintenance/${data.id}`, { status: 'success' })).code).toBe(
      'MAINTENANCE_RECORD_FORBIDDEN',
    );
    expect((await agent('GET', '/maintenance/99/spec')).code).toBe('MAINTENANCE_RECORD_NOT_FOUND');
  });
});

describe('the directory of the gateway', () => {
  it('lets a node to what it owns or uses, a token to one repository, and nobody delete', async () => {
    const { spec } = await started();
    const id = spec.repositories?.[0]?.id ?? 0;
    const opened = {
      id: targetId,
      name: 'relay',
      type: 'local_disk',
      enabled: true,
      config: { basePath: '/srv/store' },
    };
    const directory = createRepositoryDirectory({
      db: master.db,
      tokens: master.fleet.tokens,
      openTarget: async () => opened,
    });
    const asNode = (token: string, username: string | null = null) => directory.find(String(id), { username, token });
    expect(await asNode(node.token)).toMatchObject({
      kind: 'granted',
      caller: 'web-1',
      repository: { id, isAppendOnly: true, prefix: `repositories/web-1-${node.id}` },
    });
    expect(await asNode(node.token, 'web-2')).toEqual({ kind: 'unknown' });
    const other = await master.addNode('web-2');
    expect(await asNode(other.token)).toEqual({ kind: 'foreign', caller: 'web-2' });
    expect(await directory.find('77', { username: null, token: other.token })).toEqual({
      kind: 'foreign',
      caller: 'web-2',
    });
    expect(await asNode('nobody')).toEqual({ kind: 'unknown' });

    const issued = await master.call<{ token: string; username: string }>('POST', `/repositories/${id}/gateway-token`);
    expect(await asNode(issued.data.token, issued.data.username)).toMatchObject({ kind: 'granted' });
    expect(await directory.find('1234', { username: null, token: issued.data.token })).toMatchObject({
      kind: 'foreign',
    });
    const stored = await master.db.selectFrom('repositories').select('gateway_token_hash').executeTakeFirstOrThrow();
    expect(stored.gateway_token_hash).toBe(hashGatewayToken(issued.data.token));
    await master.call('DELETE', `/repositories/${id}/gateway-token`);
    expect(await asNode(issued.data.token)).toEqual({ kind: 'unknown' });
  });
});
