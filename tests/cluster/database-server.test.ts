/** Database servers through the product: who is connected, what is saved before it is replaced, a proof on a named server. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import type { RestoreRecord } from '@backupx/contracts/api/records';
import type { Task } from '@backupx/contracts/api/tasks';
import type { VerifyRecord } from '@backupx/contracts/api/verifications';
import type { InspectTargetResult } from '@backupx/contracts/jobs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Mariadb, startMariadb } from '../servers/mariadb.ts';
import { type RedisServer, startRedis } from '../servers/redis.ts';
import {
  createLocalTarget,
  type Master,
  restoreRecord,
  runTask,
  startMaster,
  waitForRecord,
} from '../support/master.ts';
import { waitFor } from '../support/start-program.ts';
import { makeWorkFolder } from '../support/work-folder.ts';

const work = makeWorkFolder('database-server');
const password = 'a secret';
let server: Mariadb;
let redis: RedisServer;
let master: Master;
let targetId: number;
let recordId: number;

const login = () => ({ dbHost: '127.0.0.1', dbPort: server.port });
const rows = () => server.sql('SELECT COUNT(*) FROM shop.orders').trim();

/** Backs up a server, and answers the record. */
async function backUp(type: string, extraConfig: Record<string, unknown>): Promise<number> {
  const body = { name: type, type, storageTargetIds: [targetId], extraConfig };
  const task = await master.client.call<Task>('POST', '/api/backup/tasks', body);
  const record = await runTask(master.client, task.id);
  expect([record.errorMessage, record.status]).toEqual(['', 'success']);
  return record.id;
}

beforeAll(async () => {
  server = await startMariadb();
  redis = await startRedis({ folder: work.at('redis'), password });
  server.sql(
    'CREATE DATABASE shop; CREATE TABLE shop.orders (id INT PRIMARY KEY); INSERT INTO shop.orders VALUES (1), (2), (3)',
  );
  server.sql("CREATE USER 'till'@'%' IDENTIFIED BY 'pw one'; GRANT ALL ON *.* TO 'till'@'%'");
  server.sql("CREATE USER 'prover'@'%' IDENTIFIED BY 'pw two'; GRANT ALL ON *.* TO 'prover'@'%'");
  master = await startMaster(work.path);
  targetId = (await createLocalTarget(master.client, work.at('store'))).id;
  recordId = await backUp('mysql', { ...login(), dbUser: 'till', dbPassword: 'pw one', databases: ['shop'] });
  server.sql('DELETE FROM shop.orders WHERE id > 1');
}, 120_000);
afterAll(async () => {
  await master?.stop();
  await server?.stop();
  await redis?.stop('SIGKILL');
  work.remove();
});

/** Somebody who stays in the database. */
async function sitDown(): Promise<{ child: ChildProcess; gone: Promise<unknown> }> {
  const secrets = work.at('till.cnf');
  writeFileSync(secrets, '[client]\nuser=till\npassword="pw one"\n', { mode: 0o600 });
  const args = [
    `--defaults-file=${secrets}`,
    '-h',
    '127.0.0.1',
    '-P',
    String(server.port),
    'shop',
    '-e',
    'SELECT SLEEP(600)',
  ];
  const child = spawn('mariadb', args, { stdio: 'ignore' });
  const gone = new Promise((resolve) => child.once('close', resolve));
  const sits = async () => server.sql('SELECT DB FROM information_schema.PROCESSLIST').includes('shop') || null;
  await waitFor('somebody is in the database', sits);
  return { child, gone };
}

describe('a database of a server', () => {
  it('is replaced only when those who are connected may be sent away, and is saved first', async () => {
    const { child, gone } = await sitDown();
    try {
      const preview = `/api/backup/records/${recordId}/restore/preview`;
      const options = { replaceExisting: true };
      const found = await master.client.call<InspectTargetResult>('POST', preview, { options });
      const session = { user: 'till', address: expect.stringContaining('127.0.0.1'), since: expect.any(String) };
      expect(found.databases).toMatchObject([{ name: 'shop', exists: true, sessions: [session] }]);
      await expect(restoreRecord(master.client, recordId, { options })).rejects.toMatchObject({
        code: 'DATABASE_IN_USE',
      });
      expect([rows(), child.exitCode]).toEqual(['1', null]);

      const restore = await restoreRecord(master.client, recordId, { options: { ...options, endSessions: true } });
      expect([restore.errorMessage, restore.status]).toEqual(['', 'success']);
      await gone;
      expect(rows()).toBe('3');
      const saved = await waitForRecord(master.client, restore.safetyRecordId);
      expect(saved).toMatchObject({ trigger: 'safety', status: 'success' });
      const back = await restoreRecord(master.client, saved.id, { options, safetyBackup: false });
      expect([back.errorMessage, rows()]).toEqual(['', '1']);
    } finally {
      child.kill('SIGKILL');
    }
  });

  it('is saved first from another server, with a password that is not kept', async () => {
    const options = { ...login(), dbUser: 'prover', dbPassword: 'pw two', replaceExisting: true };
    const restore = await restoreRecord(master.client, recordId, { options });
    expect([restore.errorMessage, restore.status, rows()]).toEqual(['', 'success', '3']);
    const saved = await waitForRecord(master.client, restore.safetyRecordId);
    expect(saved.status).toBe('success');
    // Its own server is known, the password is not.
    const where = { options: { replaceExisting: true }, safetyBackup: false };
    const url = `/api/backup/records/${saved.id}/restore`;
    const { id } = await master.client.call<RestoreRecord>('POST', url, where);
    const end = async () => {
      const now = await master.client.call<RestoreRecord>('GET', `/api/restore/records/${id}`);
      return now.status === 'running' ? null : now;
    };
    expect(await waitFor('the restore ends', end, 60_000)).toMatchObject({ errorCode: 'DATABASE_AUTH' });
  });

  it('is proven on a server that is named', async () => {
    const options = { ...login(), dbUser: 'prover', dbPassword: 'pw two' };
    const url = `/api/backup/records/${recordId}/verify`;
    const { id } = await master.client.call<VerifyRecord>('POST', url, { mode: 'deep', options });
    const end = async () => {
      const now = await master.client.call<VerifyRecord>('GET', `/api/verify/records/${id}`);
      return now.status === 'running' ? null : now;
    };
    const ended = await waitFor('the verification ends', end, 60_000);
    expect([ended.errorMessage, ended.status]).toEqual(['', 'success']);
    expect(ended.checks.map(({ name }) => name)).toContain('restore');
    expect(server.sql('SHOW DATABASES')).not.toContain('backupx_restore');
  });
});

it('of Redis is the same: replaced when those who are connected may be sent away, and saved first', async () => {
  redis.feed('SET orders 3\nSELECT 2\nSET carts 7');
  const cacheId = await backUp('redis', { dbHost: '127.0.0.1', dbPort: redis.port, dbPassword: password });
  redis.feed('SET orders 1\nSET fresh 1\nSELECT 2\nSET carts 8');
  const till = connect(redis.port, '127.0.0.1');
  till.on('error', () => {});
  till.write(`AUTH "${password}"\r\nCLIENT SETNAME till\r\n`);
  let said = '';
  while (said.split('OK').length < 3) said += String((await once(till, 'data'))[0]);
  try {
    const options = { replaceExisting: true };
    const preview = `/api/backup/records/${cacheId}/restore/preview`;
    const found = await master.client.call<InspectTargetResult>('POST', preview, { options });
    expect(found.databases).toMatchObject([
      { name: 'db0', exists: true, sessions: [{ program: 'till' }] },
      { name: 'db2', exists: true, sessions: [] },
    ]);
    await expect(restoreRecord(master.client, cacheId, { options })).rejects.toMatchObject({
      code: 'DATABASE_IN_USE',
    });
    expect([redis.cli('GET', 'orders'), till.destroyed]).toEqual(['1', false]);
    const gone = once(till, 'close');
    const restore = await restoreRecord(master.client, cacheId, { options: { ...options, endSessions: true } });
    expect([restore.errorMessage, restore.status]).toEqual(['', 'success']);
    await gone;
    expect([redis.cli('GET', 'orders'), redis.cli('GET', 'fresh'), redis.cli('-n', '2', 'GET', 'carts')]).toEqual([
      ...['3', '', '7'],
    ]);
    const saved = await waitForRecord(master.client, restore.safetyRecordId);
    expect(saved).toMatchObject({ trigger: 'safety', status: 'success' });
    const back = await restoreRecord(master.client, saved.id, { options, safetyBackup: false });
    expect([back.errorMessage, redis.cli('GET', 'fresh'), redis.cli('-n', '2', 'GET', 'carts')]).toEqual([
      '',
      '1',
      '8',
    ]);
  } finally {
    till.destroy();
  }
});
