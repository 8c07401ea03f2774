/** A database server through the product: who is connected, what is saved before it is replaced, a proof on a named server. */
import { type ChildProcess, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import type { RestoreRecord } from '@backupx/contracts/api/records';
import type { Task } from '@backupx/contracts/api/tasks';
import type { VerifyRecord } from '@backupx/contracts/api/verifications';
import type { InspectTargetResult } from '@backupx/contracts/jobs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Mariadb, startMariadb } from '../servers/mariadb.ts';
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
let server: Mariadb;
let master: Master;
let recordId: number;

const login = () => ({ dbHost: '127.0.0.1', dbPort: server.port });
const rows = () => server.sql('SELECT COUNT(*) FROM shop.orders').trim();

beforeAll(async () => {
  server = await startMariadb();
  server.sql(
    'CREATE DATABASE shop; CREATE TABLE shop.orders (id INT PRIMARY KEY); INSERT INTO shop.orders VALUES (1), (2), (3)',
  );
  server.sql("CREATE USER 'till'@'%' IDENTIFIED BY 'pw one'; GRANT ALL ON *.* TO 'till'@'%'");
  server.sql("CREATE USER 'prover'@'%' IDENTIFIED BY 'pw two'; GRANT ALL ON *.* TO 'prover'@'%'");
  master = await startMaster(work.path);
  const target = await createLocalTarget(master.client, work.at('store'));
  const extraConfig = { ...login(), dbUser: 'till', dbPassword: 'pw one', databases: ['shop'] };
  const body = { name: 'shop', type: 'mysql', storageTargetIds: [target.id], extraConfig };
  const task = await master.client.call<Task>('POST', '/api/backup/tasks', body);
  const record = await runTask(master.client, task.id);
  expect([record.errorMessage, record.status]).toEqual(['', 'success']);
  recordId = record.id;
  server.sql('DELETE FROM shop.orders WHERE id > 1');
}, 120_000);
afterAll(async () => {
  await master?.stop();
  await server?.stop();
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
  await waitFor('somebody is in the database', sits, 30_000);
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
