import { existsSync } from 'node:fs';
import path from 'node:path';
import type { BackupRecord } from '@backupx/contracts/api/records';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RadosGateway, startRadosGateway } from '../servers/radosgw.ts';
import { type Agent, startAgent } from '../support/agent.ts';
import { compareTrees } from '../support/compare-trees.ts';
import { makeTree } from '../support/make-tree.ts';
import { createLocalTarget, createTask, type Master, restoreRecord, runTask, startMaster } from '../support/master.ts';
import { makeWorkFolder } from '../support/work-folder.ts';

const work = makeWorkFolder('agent');
const source = work.at('source');
let master: Master;
let agent: Agent;
let s3: RadosGateway;

beforeAll(async () => {
  makeTree(source, { files: 20_000, seed: 2 });
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

async function backUpAndCompare(name: string, storageTargetId: number, encrypt: boolean): Promise<BackupRecord> {
  const task = await createTask(master.client, {
    name,
    nodeId: agent.nodeId,
    sourcePaths: [source],
    storageTargetIds: [storageTargetId],
    encrypt,
  });
  const record = await runTask(master.client, task.id);
  expect(record.errorMessage).toBe('');
  expect(record.status).toBe('success');
  expect(record.nodeName).toBe('web-01');
  expect(record.logContent).not.toBe('');
  const restore = await restoreRecord(master.client, record.id, { targetPath: work.at(`restored-${name}`) });
  expect(restore.errorMessage).toBe('');
  expect(restore.status).toBe('success');
  expect(restore.nodeId).toBe(agent.nodeId);
  expect(compareTrees(source, work.at(`restored-${name}`, 'source'))).toEqual([]);
  return record;
}

describe('a backup on an agent', () => {
  it('goes encrypted to the disk of the agent and comes back identical', async () => {
    const target = await createLocalTarget(master.client, work.at('agent-store'), { name: 'agent disk' });
    const record = await backUpAndCompare('own-disk', target.id, true);
    expect(existsSync(path.join(work.at('agent-store'), record.storagePath))).toBe(true);
  });

  it('goes straight to S3 and comes back identical', async () => {
    const target = await master.client.call<{ id: number }>('POST', '/api/storage-targets', {
      name: 's3',
      type: 's3',
      config: {
        endpoint: s3.endpoint,
        region: 'us-east-1',
        bucket: s3.bucket,
        prefix: 'fleet',
        accessKeyId: s3.accessKeyId,
        secretAccessKey: s3.secretAccessKey,
        forcePathStyle: true,
      },
    });
    const record = await backUpAndCompare('to-s3', target.id, true);
    const contents = await master.client.call<{ total: number }>(
      'GET',
      `/api/backup/records/${record.id}/contents?path=${encodeURIComponent(source)}`,
    );
    expect(contents.total).toBeGreaterThan(20);
  });

  it('goes through the relay to the disk of the master and comes back identical', async () => {
    const target = await createLocalTarget(master.client, work.at('relay-store'), { name: 'relay', masterRelay: true });
    const record = await backUpAndCompare('relayed', target.id, true);
    expect(existsSync(path.join(work.at('relay-store'), record.storagePath))).toBe(true);
  });

  it('deletes the artifact on the disk of the agent with its record', async () => {
    const { items } = await master.client.call<{ items: BackupRecord[] }>('GET', '/api/backup/records?pageSize=50');
    const record = items.find((item) => item.taskName === 'own-disk');
    const artifact = path.join(work.at('agent-store'), record?.storagePath ?? '');
    expect(existsSync(artifact)).toBe(true);
    await master.client.call('DELETE', `/api/backup/records/${record?.id}`);
    expect(existsSync(artifact)).toBe(false);
  });

  it('lists folders of the agent, folders first, and names what is wrong', async () => {
    const list = await master.client.call<{ entries: { name: string; isDir: boolean }[] }>(
      'GET',
      `/api/nodes/${agent.nodeId}/fs/list?path=${encodeURIComponent(source)}`,
    );
    expect(list.entries.map((entry) => entry.isDir)).toEqual(
      [...list.entries.map((entry) => entry.isDir)].sort((a, b) => Number(b) - Number(a)),
    );
    expect(list.entries.some((entry) => entry.name === 'kinds')).toBe(true);
    await expect(
      master.client.call('GET', `/api/nodes/${agent.nodeId}/fs/list?path=/no/such/folder`),
    ).rejects.toMatchObject({ code: 'PATH_NOT_FOUND' });
  });

  it('cannot be deleted while tasks use it', async () => {
    await expect(master.client.call('DELETE', `/api/nodes/${agent.nodeId}`)).rejects.toMatchObject({
      code: 'NODE_HAS_TASKS',
    });
  });
});
