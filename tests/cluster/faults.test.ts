import { readdirSync } from 'node:fs';
import type { Node } from '@backupx/contracts/api/nodes';
import type { BackupRecord } from '@backupx/contracts/api/records';
import type { Task } from '@backupx/contracts/api/tasks';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Agent, startAgent, waitForOnline } from '../support/agent.ts';
import { makeTree } from '../support/make-tree.ts';
import { createLocalTarget, createTask, type Master, runTask, startMaster, waitForRecord } from '../support/master.ts';
import { waitFor } from '../support/start-program.ts';
import { makeWorkFolder } from '../support/work-folder.ts';

const work = makeWorkFolder('faults');
let master: Master;
let agent: Agent;
let remoteTask: Task;
let localTask: Task;

/** About 9 MB of noise at 1 MB/s: long enough to be interrupted, short enough to wait for. */
beforeAll(async () => {
  process.env.BACKUPX_BACKUP_BANDWIDTH_LIMIT = '1MB';
  makeTree(work.at('source'), { files: 200, seed: 3 });
  master = await startMaster(work.path);
  agent = await startAgent(master.client, work.at('agent'), 'web-02');
  const target = await createLocalTarget(master.client, work.at('store'));
  remoteTask = await createTask(master.client, {
    name: 'remote',
    nodeId: agent.nodeId,
    sourcePaths: [work.at('source')],
    storageTargetIds: [target.id],
  });
  localTask = await createTask(master.client, {
    name: 'local',
    sourcePaths: [work.at('source')],
    storageTargetIds: [target.id],
  });
});
afterAll(async () => {
  delete process.env.BACKUPX_BACKUP_BANDWIDTH_LIMIT;
  await agent?.stop();
  await master?.stop();
  work.remove();
});

async function startRun(task: Task): Promise<BackupRecord> {
  const record = await master.client.call<BackupRecord>('POST', `/api/backup/tasks/${task.id}/run`);
  expect(record.status).toBe('running');
  await waitFor('the run has stored something', async () => {
    const current = await master.client.call<BackupRecord>('GET', `/api/backup/records/${record.id}`);
    if (current.status !== 'running') throw new Error(`ended early: ${current.status} ${current.errorMessage}`);
    return (current.progress?.bytesStored ?? 0) > 0;
  });
  return record;
}

function finalObjects(): string[] {
  return readdirSync(work.at('store'), { recursive: true, encoding: 'utf8' }).filter(
    (name) => /\.tar/.test(name) && !name.includes('.backupx-tmp'),
  );
}

describe('while a backup runs on an agent', () => {
  it('answers a folder listing meanwhile and runs one task once at a time', async () => {
    const record = await startRun(remoteTask);
    await master.client.call('GET', `/api/nodes/${agent.nodeId}/fs/list?path=/`);
    await expect(master.client.call('POST', `/api/backup/tasks/${remoteTask.id}/run`)).rejects.toMatchObject({
      code: 'BACKUP_TASK_RUNNING',
    });
    expect((await waitForRecord(master.client, record.id)).status).toBe('success');
  });

  it('cancels it, leaves no object behind, and runs it again', async () => {
    const before = finalObjects();
    const record = await startRun(remoteTask);
    await master.client.call('POST', `/api/backup/records/${record.id}/cancel`);
    expect((await waitForRecord(master.client, record.id, 60_000)).status).toBe('cancelled');
    expect(finalObjects()).toEqual(before);
    expect((await runTask(master.client, remoteTask.id)).status).toBe('success');
  });

  it('survives a master that is away: the backup goes on and record and log arrive', async () => {
    const record = await startRun(remoteTask);
    await master.stop('SIGKILL');
    await new Promise((resolve) => setTimeout(resolve, 12_000));
    await master.restart();
    const ended = await waitForRecord(master.client, record.id, 90_000);
    expect(ended.status).toBe('success');
    expect(ended.logContent).not.toBe('');
    expect(ended.checksum).toMatch(/^[0-9a-f]{64}$/);
  });

  it('reports what it was doing when it is told to stop', async () => {
    const record = await startRun(remoteTask);
    const code = await agent.stop('SIGTERM');
    expect(code).toBe(0);
    const ended = await master.client.call<BackupRecord>('GET', `/api/backup/records/${record.id}`);
    expect(['success', 'interrupted']).toContain(ended.status);
    agent.restart();
    await waitForOnline(master.client, agent.nodeId);
  });

  it('ends the record within a minute when the agent is killed and started again', async () => {
    const before = finalObjects();
    const record = await startRun(remoteTask);
    await agent.stop('SIGKILL');
    agent.restart();
    const ended = await waitForRecord(master.client, record.id, 60_000);
    expect(ended.status).toBe('interrupted');
    expect(finalObjects()).toEqual(before);
    expect((await runTask(master.client, remoteTask.id)).status).toBe('success');
  });
});

describe('a busy node', () => {
  it('runs a second task after the first', async () => {
    const second = await createTask(master.client, {
      name: 'second',
      nodeId: agent.nodeId,
      sourcePaths: [work.at('source', 'odd')],
      storageTargetIds: remoteTask.storageTargetIds,
    });
    const first = await startRun(remoteTask);
    const waiting = await master.client.call<BackupRecord>('POST', `/api/backup/tasks/${second.id}/run`);
    expect((await waitForRecord(master.client, first.id)).status).toBe('success');
    expect((await waitForRecord(master.client, waiting.id)).status).toBe('success');
  });
});

describe('a master', () => {
  it('killed during a local run marks it interrupted at the next start and can run it again', async () => {
    const before = finalObjects();
    const record = await startRun(localTask);
    await master.stop('SIGKILL');
    await master.restart();
    const ended = await waitForRecord(master.client, record.id);
    expect(ended.status).toBe('interrupted');
    expect(finalObjects()).toEqual(before);
    expect((await runTask(master.client, localTask.id)).status).toBe('success');
  });

  it('stops within 30 seconds on SIGTERM and leaves no run behind', async () => {
    const record = await startRun(localTask);
    const startedAt = performance.now();
    expect(await master.stop('SIGTERM')).toBe(0);
    expect(performance.now() - startedAt).toBeLessThan(30_000);
    await master.restart();
    const ended = await waitForRecord(master.client, record.id);
    expect(['success', 'interrupted']).toContain(ended.status);
  });

  it('refuses a second master on the same data folder', async () => {
    const { freePort, startProgram } = await import('../support/start-program.ts');
    const second = startProgram([
      'server',
      '--host',
      '127.0.0.1',
      '--port',
      String(await freePort()),
      '--data-dir',
      master.dataFolder,
    ]);
    expect(await second.ended).not.toBe(0);
    expect(second.output()).toContain('already uses this data folder');
  });

  it('is met again by an agent that started while it was down', async () => {
    await agent.stop('SIGTERM');
    await master.stop('SIGTERM');
    agent.restart();
    await new Promise((resolve) => setTimeout(resolve, 3000));
    expect(agent.program.child.exitCode).toBeNull();
    await master.restart();
    expect((await waitForOnline(master.client, agent.nodeId)).name).toBe('web-02');
  });

  it('shows a node as offline 45 seconds after its last sign of life', async () => {
    await agent.stop('SIGKILL');
    await waitFor(
      'the node is offline',
      async () => (await master.client.call<Node>('GET', `/api/nodes/${agent.nodeId}`)).status === 'offline',
      75_000,
    );
    await expect(master.client.call('POST', `/api/backup/tasks/${remoteTask.id}/run`)).rejects.toMatchObject({
      code: 'NODE_OFFLINE',
    });
    await expect(master.client.call('GET', `/api/nodes/${agent.nodeId}/fs/list?path=/`)).rejects.toMatchObject({
      code: 'NODE_OFFLINE',
    });
    agent.restart();
    await waitForOnline(master.client, agent.nodeId);
  });
});
