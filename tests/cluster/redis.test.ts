/** A Redis server through the product: who is connected, and that it is saved before its databases are replaced. */
import { once } from 'node:events';
import { connect } from 'node:net';
import type { Task } from '@backupx/contracts/api/tasks';
import type { InspectTargetResult } from '@backupx/contracts/jobs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type RedisServer, startRedis } from '../servers/redis.ts';
import {
  createLocalTarget,
  type Master,
  restoreRecord,
  runTask,
  startMaster,
  waitForRecord,
} from '../support/master.ts';
import { makeWorkFolder } from '../support/work-folder.ts';

const work = makeWorkFolder('redis-cluster');
const password = 'a secret';
let server: RedisServer;
let master: Master;
let recordId: number;

beforeAll(async () => {
  server = await startRedis({ folder: work.at('server'), password });
  server.feed('SET orders 3\nSELECT 2\nSET carts 7');
  master = await startMaster(work.path);
  const target = await createLocalTarget(master.client, work.at('store'));
  const extraConfig = { dbHost: '127.0.0.1', dbPort: server.port, dbPassword: password };
  const body = { name: 'cache', type: 'redis', storageTargetIds: [target.id], extraConfig };
  const task = await master.client.call<Task>('POST', '/api/backup/tasks', body);
  const record = await runTask(master.client, task.id);
  expect([record.errorMessage, record.status]).toEqual(['', 'success']);
  recordId = record.id;
  server.feed('SET orders 1\nSET fresh 1\nSELECT 2\nSET carts 8');
}, 120_000);
afterAll(async () => {
  await master?.stop();
  await server?.stop('SIGKILL');
  work.remove();
});

it('is replaced only when those who are connected may be sent away, and is saved first', async () => {
  const till = connect(server.port, '127.0.0.1');
  till.on('error', () => {});
  till.write(`AUTH "${password}"\r\nCLIENT SETNAME till\r\n`);
  let said = '';
  while (said.split('OK').length < 3) said += String((await once(till, 'data'))[0]);
  try {
    const options = { replaceExisting: true };
    const preview = `/api/backup/records/${recordId}/restore/preview`;
    const found = await master.client.call<InspectTargetResult>('POST', preview, { options });
    expect(found.databases).toMatchObject([
      { name: 'db0', exists: true, sessions: [{ program: 'till' }] },
      { name: 'db2', exists: true, sessions: [] },
    ]);
    await expect(restoreRecord(master.client, recordId, { options })).rejects.toMatchObject({
      code: 'DATABASE_IN_USE',
    });
    expect([server.cli('GET', 'orders'), till.destroyed]).toEqual(['1', false]);
    const gone = once(till, 'close');
    const restore = await restoreRecord(master.client, recordId, { options: { ...options, endSessions: true } });
    expect([restore.errorMessage, restore.status]).toEqual(['', 'success']);
    await gone;
    expect([server.cli('GET', 'orders'), server.cli('GET', 'fresh'), server.cli('-n', '2', 'GET', 'carts')]).toEqual([
      ...['3', '', '7'],
    ]);
    const saved = await waitForRecord(master.client, restore.safetyRecordId);
    expect(saved).toMatchObject({ trigger: 'safety', status: 'success' });
    const back = await restoreRecord(master.client, saved.id, { options, safetyBackup: false });
    expect([back.errorMessage, server.cli('GET', 'fresh'), server.cli('-n', '2', 'GET', 'carts')]).toEqual([
      '',
      '1',
      '8',
    ]);
  } finally {
    till.destroy();
  }
});
