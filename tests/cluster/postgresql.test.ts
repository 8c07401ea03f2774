/** A PostgreSQL server through the whole product: dumps in files by an agent, restored there and by the master. */
import type { Task } from '@backupx/contracts/api/tasks';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeDatabase, makeShop } from '../databases/postgresql-samples.ts';
import { PASSWORD, type Postgresql, startPostgresql } from '../servers/postgresql.ts';
import { type Agent, startAgent } from '../support/agent.ts';
import { createLocalTarget, type Master, restoreRecord, runTask, startMaster } from '../support/master.ts';
import { makeWorkFolder } from '../support/work-folder.ts';

const work = makeWorkFolder('postgresql-cluster');
let server: Postgresql;
let master: Master;
let agent: Agent;

beforeAll(async () => {
  server = await startPostgresql();
  makeShop(server);
  master = await startMaster(work.path);
  agent = await startAgent(master.client, work.at('agent'), 'db-01');
}, 120_000);
afterAll(async () => {
  await agent?.stop();
  await master?.stop();
  await server?.stop();
  work.remove();
});

it('is dumped in files by an agent through the master, and comes back on both', async () => {
  const target = await createLocalTarget(master.client, work.at('store'), { masterRelay: true });
  const extraConfig = {
    ...{ dbHost: '127.0.0.1', dbPort: server.port, dbUser: 'postgres', dbPassword: PASSWORD, databases: ['shop'] },
    ...{ format: 'directory', parallelJobs: 2 },
  };
  const body = { name: 'shop', type: 'postgresql', nodeId: agent.nodeId, storageTargetIds: [target.id], extraConfig };
  const task = await master.client.call<Task>('POST', '/api/backup/tasks', body);
  const record = await runTask(master.client, task.id);
  expect([record.errorMessage, record.status]).toEqual(['', 'success']);
  const original = describeDatabase(server, 'shop');
  const nodes = await master.client.call<{ id: number; isLocal: boolean }[]>('GET', '/api/nodes');
  for (const nodeId of [agent.nodeId, nodes.find((node) => node.isLocal)?.id]) {
    const options = { rename: [`shop=back_${nodeId}`], parallelJobs: 2 };
    const restore = await restoreRecord(master.client, record.id, { nodeId, options });
    expect([restore.errorMessage, restore.status]).toEqual(['', 'success']);
    expect(describeDatabase(server, `back_${nodeId}`).replaceAll(`back_${nodeId}`, 'shop')).toBe(original);
  }
}, 240_000);
