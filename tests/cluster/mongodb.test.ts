/** MongoDB on an agent through the whole product, by a task in the field's words and without MongoDB's programs. */
import type { Task } from '@backupx/contracts/api/tasks';
import type { InspectSourceResult } from '@backupx/contracts/jobs';
import { MongoClient } from 'mongodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeDatabase, fill } from '../databases/mongodb-samples.ts';
import { type FerretdbServer, findFerretdb, startFerretdb } from '../servers/ferretdb.ts';
import { type Agent, startAgent } from '../support/agent.ts';
import {
  createLocalTarget,
  type Master,
  restoreRecord,
  runTask,
  startMaster,
  waitForRecord,
} from '../support/master.ts';
import { makeWorkFolder } from '../support/work-folder.ts';

const { whyNot } = findFerretdb();
const work = makeWorkFolder('mongodb-cluster');
const login = { user: 'root', password: 'a secret' };
let master: Master;
let agent: Agent;
let server: FerretdbServer;
let client: MongoClient;

beforeAll(async () => {
  if (whyNot !== '') return;
  server = await startFerretdb({ folder: work.at('server'), login });
  client = new MongoClient(server.uri);
  await fill(client);
  master = await startMaster(work.path);
  agent = await startAgent(master.client, work.at('agent'), 'db-01');
}, 120_000);
afterAll(async () => {
  await agent?.stop();
  await master?.stop();
  await client?.close();
  await server?.stop();
  work.remove();
});

const title = 'MongoDB on an agent';
const suite = whyNot === '' ? describe : describe.skip;

suite(whyNot === '' ? title : `${title} (${whyNot})`, () => {
  it('is asked, backed up, replaced after what is there was saved, and copied', async () => {
    const fields = { dbHost: '127.0.0.1', dbPort: server.port, dbUser: login.user, dbPassword: login.password };
    const asked = { type: 'mongodb', nodeId: agent.nodeId, config: fields };
    const found = await master.client.call<InspectSourceResult>('POST', '/api/sources/inspect', asked);
    expect(found.databases.map(({ name }) => name)).toEqual(['-h', 'other', 'shop']);
    const target = await createLocalTarget(master.client, work.at('store'), { masterRelay: true });
    const body = { name: 'shop', type: 'mongodb', nodeId: agent.nodeId, storageTargetIds: [target.id] };
    const named = { ...fields, dbName: 'shop,other', extraConfig: { program: 'native' } };
    const task = await master.client.call<Task>('POST', '/api/backup/tasks', { ...body, ...named });
    expect(task).toMatchObject({ dbName: 'shop,other', extraConfig: { databases: ['shop', 'other'] } });
    const before = await describeDatabase(client, 'shop');
    const record = await runTask(master.client, task.id);
    expect([record.errorMessage, record.status]).toEqual(['', 'success']);
    await client.db('shop').collection('orders').deleteMany({});
    const refused = await restoreRecord(master.client, record.id, {});
    expect([refused.status, refused.errorCode]).toEqual(['failed', 'DATABASE_EXISTS']);
    const restore = await restoreRecord(master.client, record.id, { options: { replaceExisting: true } });
    expect([restore.errorMessage, restore.status]).toEqual(['', 'success']);
    expect(await describeDatabase(client, 'shop')).toBe(before);
    const saved = await waitForRecord(master.client, restore.safetyRecordId);
    expect([saved.trigger, saved.status]).toEqual(['safety', 'success']);
    const options = { rename: ['shop=copy', 'other=copy2'] };
    const copied = await restoreRecord(master.client, record.id, { options });
    expect([copied.errorMessage, copied.status]).toEqual(['', 'success']);
    expect(await describeDatabase(client, 'copy')).toBe(before);
  });
});
