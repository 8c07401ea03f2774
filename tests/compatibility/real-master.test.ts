/** The shipped master as a process, and an agent from the field that it has never heard of before. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { BackupRecord } from '@backupx/contracts/api/records';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLocalTarget, createTask, type Master, restoreRecord, startMaster } from '../support/master.ts';
import { waitFor } from '../support/start-program.ts';
import { makeWorkFolder } from '../support/work-folder.ts';
import { createLegacyAgent, type LegacyAgent } from './legacy-agent.ts';

const work = makeWorkFolder('field');
let master: Master;
let agent: LegacyAgent;
let node: { id: number; token: string };
let onStep: (step: string) => void | Promise<void> = () => undefined;

beforeAll(async () => {
  mkdirSync(work.at('source', 'inner'), { recursive: true });
  writeFileSync(work.at('source', 'a.txt'), 'hello');
  writeFileSync(work.at('source', 'inner', 'b.bin'), Buffer.alloc(3_000_000, 5));
  master = await startMaster(work.path);
  node = await master.client.call('POST', '/api/nodes', { name: 'field-1' });
  agent = createLegacyAgent({
    masterUrl: master.url,
    token: node.token,
    heartbeatMs: 1_000,
    pollMs: 200,
    at: (step) => onStep(step),
  });
  agent.start();
  await agentIsOnline();
});
afterAll(async () => {
  await agent?.stop();
  await master?.stop();
  work.remove();
});

const agentIsOnline = () =>
  waitFor('the agent is online', async () => {
    const { status } = await master.client.call<{ status: string }>('GET', `/api/nodes/${node.id}`);
    return status === 'online';
  });

const record = (id: number) => master.client.call<BackupRecord>('GET', `/api/backup/records/${id}`);

async function run(taskId: number): Promise<BackupRecord> {
  const { id } = await master.client.call<BackupRecord>('POST', `/api/backup/tasks/${taskId}/run`);
  return await waitFor(`record ${id} ends`, async () => {
    const current = await record(id);
    return current.status === 'running' ? null : current;
  });
}

const newTask = (name: string, targetId: number) =>
  createTask(master.client, {
    name,
    nodeId: node.id,
    sourcePaths: [work.at('source')],
    storageTargetIds: [targetId],
    compression: 'gzip',
  });

describe('an agent from the field under the shipped master', () => {
  it('backs up to its own disk', async () => {
    const target = await createLocalTarget(master.client, work.at('agent-disk'), { name: 'its disk' });
    const done = await run((await newTask('own-disk', target.id)).id);
    expect(done).toMatchObject({ status: 'success', errorMessage: '', nodeName: 'field-1' });
    const stored = work.at('agent-disk', done.storagePath);
    mkdirSync(work.at('out'));
    execFileSync('tar', ['-xf', stored, '-C', work.at('out')]);
    expect(readFileSync(work.at('out', 'source', 'inner', 'b.bin'))).toEqual(
      readFileSync(work.at('source', 'inner', 'b.bin')),
    );
  });

  it('backs up through the master to its disk, and restores from there', async () => {
    const target = await createLocalTarget(master.client, work.at('master-disk'), { name: 'relay', masterRelay: true });
    const done = await run((await newTask('relay', target.id)).id);
    expect(done).toMatchObject({ status: 'success', errorMessage: '' });
    expect(readFileSync(path.join(work.at('master-disk'), done.storagePath)).length).toBe(done.fileSize);

    writeFileSync(work.at('source', 'a.txt'), 'overwritten');
    const restore = await restoreRecord(master.client, done.id, { overwrite: 'always' });
    expect(restore).toMatchObject({ status: 'success', errorMessage: '' });
    expect(readFileSync(work.at('source', 'a.txt'), 'utf8')).toBe('hello');
  });

  it('goes on after the master was killed and restarted in the middle of its run', async () => {
    const target = await createLocalTarget(master.client, work.at('third'), { name: 'third' });
    const task = await newTask('restart', target.id);
    onStep = async (step) => {
      if (step !== 'packed') return;
      await master.stop('SIGKILL');
      await master.restart();
    };
    const { id } = await master.client.call<BackupRecord>('POST', `/api/backup/tasks/${task.id}/run`);
    const done = await waitFor(`record ${id} ends`, async () => {
      const current = await record(id);
      return current.status === 'running' ? null : current;
    });
    onStep = () => undefined;
    expect(done).toMatchObject({ status: 'success', errorMessage: '' });
  });

  it('lists a folder for the console', async () => {
    // The master that was restarted hears of it with the next heartbeat.
    await agentIsOnline();
    const query = encodeURIComponent(work.at('source'));
    const { entries } = await master.client.call<{ entries: { name: string }[] }>(
      'GET',
      `/api/nodes/${node.id}/fs/list?path=${query}`,
    );
    expect(entries.map((entry) => entry.name)).toEqual(['inner', 'a.txt']);
  });
});
