/** A database on an agent's machine through the whole product: asked, backed up, restored under a new name and elsewhere. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { RestoreRecord } from '@backupx/contracts/api/records';
import type { Task } from '@backupx/contracts/api/tasks';
import type { InspectSourceResult } from '@backupx/contracts/jobs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Agent, startAgent } from '../support/agent.ts';
import {
  createLocalTarget,
  type Master,
  restoreRecord,
  runTask,
  startMaster,
  waitForRecord,
  waitForRestore,
} from '../support/master.ts';
import { makeWorkFolder } from '../support/work-folder.ts';

const work = makeWorkFolder('database-cluster');
const file = work.at('apps', 'shop a=b.sqlite');
let master: Master;
let agent: Agent;
let task: Task;
let recordId: number;

function count(of: string): unknown {
  const database = new DatabaseSync(of, { readOnly: true });
  try {
    return database.prepare('SELECT count(*) AS rows, sum(price) AS total FROM orders').get();
  } finally {
    database.close();
  }
}

beforeAll(async () => {
  mkdirSync(path.dirname(file), { recursive: true });
  const database = new DatabaseSync(file);
  database.exec('CREATE TABLE orders (id INTEGER PRIMARY KEY, price INTEGER)');
  for (let price = 1; price <= 100; price += 1) database.prepare('INSERT INTO orders (price) VALUES (?)').run(price);
  database.close();
  master = await startMaster(work.path);
  agent = await startAgent(master.client, work.at('agent'), 'db-01');
}, 120_000);
afterAll(async () => {
  await agent?.stop();
  await master?.stop();
  work.remove();
});

describe('a database on an agent', () => {
  it('is asked what it holds', async () => {
    const body = { type: 'sqlite', nodeId: agent.nodeId, config: { databases: [work.at('apps', '*.sqlite')] } };
    const found = await master.client.call<InspectSourceResult>('POST', '/api/sources/inspect', body);
    expect(found.databases.map((one) => one.name)).toEqual([file]);
    expect(found.server).toMatch(/SQLite/);
  });

  it('is backed up by a task in the words of the field', async () => {
    const target = await createLocalTarget(master.client, work.at('store'), { masterRelay: true });
    const body = { name: 'orders', type: 'sqlite', nodeId: agent.nodeId, dbPath: file, storageTargetIds: [target.id] };
    task = await master.client.call<Task>('POST', '/api/backup/tasks', body);
    expect(task).toMatchObject({ dbPath: file, extraConfig: { databases: [file] } });
    const record = await runTask(master.client, task.id);
    expect([record.errorMessage, record.status]).toEqual(['', 'success']);
    recordId = record.id;
  });

  it('comes back under another name, there and on the master', async () => {
    mkdirSync(work.at('back'));
    const nodes = await master.client.call<{ id: number; isLocal: boolean }[]>('GET', '/api/nodes');
    for (const nodeId of [agent.nodeId, nodes.find((node) => node.isLocal)?.id]) {
      const to = work.at('back', `node ${nodeId}.sqlite`);
      const options = { rename: [`${file}=${to}`] };
      const restore = await restoreRecord(master.client, recordId, { nodeId, options });
      expect([restore.errorMessage, restore.status]).toEqual(['', 'success']);
      expect(restore).toMatchObject({ nodeId, options });
      expect(count(to)).toEqual({ rows: 100, total: 5050 });
    }
  });

  it('replaces what exists only when that was chosen', async () => {
    const database = new DatabaseSync(file);
    database.exec('DELETE FROM orders WHERE id > 10');
    database.close();
    const refused = await restoreRecord(master.client, recordId, {});
    expect([refused.status, refused.errorCode]).toEqual(['failed', 'DATABASE_EXISTS']);
    expect(count(file)).toMatchObject({ rows: 10 });
    const restore = await restoreRecord(master.client, recordId, { options: { replaceExisting: true } });
    expect([restore.errorMessage, restore.status]).toEqual(['', 'success']);
    expect(count(file)).toMatchObject({ rows: 100 });
    // What it replaced was saved first, and comes back the same way.
    const saved = await waitForRecord(master.client, restore.safetyRecordId);
    expect([saved.trigger, saved.status, saved.nodeId]).toEqual(['safety', 'success', agent.nodeId]);
    const options = { replaceExisting: true };
    const back = await restoreRecord(master.client, saved.id, { options, safetyBackup: false });
    expect([back.errorMessage, back.status, back.safetyRecordId]).toEqual(['', 'success', 0]);
    expect(count(file)).toMatchObject({ rows: 10 });
  });

  it('is not touched when what is there cannot be saved', async () => {
    const readable = readFileSync(file);
    writeFileSync(file, 'no database at all');
    const restore = await restoreRecord(master.client, recordId, { options: { replaceExisting: true } });
    expect([restore.status, restore.errorCode]).toEqual(['failed', 'SAFETY_BACKUP_FAILED']);
    expect(readFileSync(file, 'utf8')).toBe('no database at all');
    writeFileSync(file, readable);
  });

  it('is replaced once it was saved, or not touched, whenever the master is killed', async () => {
    const body = { options: { replaceExisting: true } };
    const url = `/api/backup/records/${recordId}/restore`;
    const { id, safetyRecordId } = await master.client.call<RestoreRecord>('POST', url, body);
    await master.stop('SIGKILL');
    await master.restart();
    const restore = await waitForRestore(master.client, id);
    const { status } = await waitForRecord(master.client, safetyRecordId);
    if (status === 'success') expect([restore.errorMessage, restore.status]).toEqual(['', 'success']);
    else expect([restore.status, restore.errorCode]).toEqual(['failed', 'SAFETY_BACKUP_FAILED']);
    expect(count(file)).toMatchObject({ rows: status === 'success' ? 100 : 10 });
  });
});
