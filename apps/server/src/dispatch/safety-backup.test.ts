/** Backups of what a restore replaces: before it, instead of it when they fail, and over a restart of the master. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AppError } from '@backupx/contracts/errors';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createTestRuns, type TestRuns } from '../connect-test-runs.ts';
import { recordsStore } from '../stores/records.store.ts';

interface Answer {
  id: number;
  code?: string;
  [key: string]: unknown;
}

const stored = { dbHost: 'db-1', dbPort: 5433, dbUser: 'reader', dbPassword: 'top secret', databases: [] };
const at = (name: string, exists: boolean, sessions: object[] = []) => ({ name, exists, sizeBytes: null, sessions });

let folder: string;
let test: TestRuns;
let taskId: number;
let recordId: number;

const open = () => createTestRuns({ path: join(folder, 'test.db') });
const call = async (method: 'GET' | 'POST' | 'DELETE', path: string, body?: object) =>
  (await test.call(method, path, body)).data as Answer;
const found = (...databases: object[]) => test.engine.answers.set('inspect_target', { server: 'db-1', databases });

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'backupx-safety-'));
  test = await open();
  const body = { name: 'shop', type: 'shopdb', storageTargetIds: [await test.addTarget('disk')], extraConfig: stored };
  taskId = (await call('POST', '/backup/tasks', body)).id;
  recordId = (await call('POST', `/backup/tasks/${taskId}/run`)).id;
  await test.ended(recordId);
  await test.runs.followups.drain();
  found(at('shop', true), at('crm', false));
});
afterEach(async () => {
  await test.close();
  rmSync(folder, { recursive: true });
});

/** Work that waits until it is let go. */
function hold(): () => void {
  let release = () => {};
  test.engine.hold = new Promise((resolve) => {
    release = () => {
      test.engine.hold = null;
      resolve();
    };
  });
  return release;
}

const options = { replaceExisting: true };
const restore = (body: object = { options }) => call('POST', `/backup/records/${recordId}/restore`, body);
const restoreNow = (id: number) => call('GET', `/restore/records/${id}`);
const ended = async (id: number) => {
  await expect.poll(async () => (await restoreNow(id)).status).not.toBe('running');
  return await restoreNow(id);
};
const jobs = () => test.engine.jobs.map((job) => job.kind).filter((kind) => kind.startsWith('run_'));
const lastBackup = () => {
  const job = test.engine.jobs.findLast((one) => one.kind === 'run_backup');
  return job?.kind === 'run_backup' ? job : undefined;
};
const rows = (table: 'records' | 'restore_records') => test.db.selectFrom(table).select('id').execute();

describe('a restore that replaces databases', () => {
  it('begins when what is there is saved, and links to it', async () => {
    const release = hold();
    const { id, safetyRecordId, isWaiting } = await restore();
    expect(isWaiting).toBe(true);
    await expect.poll(jobs).toEqual(['run_backup', 'run_backup']);
    expect(lastBackup()).toMatchObject({ taskId, recordId: safetyRecordId, source: { type: 'shopdb' } });
    expect(lastBackup()?.source.config).toEqual({ ...stored, databases: ['shop'] });
    release();
    await test.ended(Number(safetyRecordId));
    expect((await restoreNow(id)).isWaiting).toBe(true);
    await test.runs.followups.drain();
    expect(await ended(id)).toMatchObject({ status: 'success', safetyRecordId, isWaiting: false });
    expect(jobs()).toEqual(['run_backup', 'run_backup', 'run_restore']);
    expect((await restoreNow(id)).logContent).toMatch(/First backing up .*: shop\.\n.*saved as record/);
    expect(await call('GET', `/backup/records/${safetyRecordId}`)).toMatchObject({ trigger: 'safety' });
  });

  it('does not begin when that failed', async () => {
    const release = hold();
    const { id, safetyRecordId } = await restore();
    test.engine.failure = new AppError('STORAGE_FULL', { reason: 'no space' });
    release();
    await test.ended(Number(safetyRecordId));
    await test.runs.followups.drain();
    expect(await ended(id)).toMatchObject({ status: 'failed', errorCode: 'SAFETY_BACKUP_FAILED', isWaiting: false });
    expect(jobs()).not.toContain('run_restore');
  });

  it('begins at once when nothing is lost, or nobody wants it saved', async () => {
    expect(await restore({ options, safetyBackup: false })).toMatchObject({ safetyRecordId: 0, isWaiting: false });
    expect(await restore({ options: { rename: ['shop=copy'] } })).toMatchObject({ safetyRecordId: 0 });
    expect(await restore({ options, targetPath: '/tmp/files' })).toMatchObject({ safetyRecordId: 0 });
    found(at('shop', false));
    expect(await restore()).toMatchObject({ safetyRecordId: 0 });
    expect(await rows('records')).toHaveLength(1);
  });

  it('refuses a database in use before it starts anything', async () => {
    const session = { id: '7', user: 'till', address: '10.0.0.7', program: 'psql', since: null };
    found(at('shop', true, [session]));
    expect(await restore()).toMatchObject({ code: 'DATABASE_IN_USE', message: expect.stringContaining('till') });
    expect([await rows('records'), await rows('restore_records')].map((all) => all.length)).toEqual([1, 0]);
    expect((await restore({ options: { ...options, endSessions: true } })).safetyRecordId).toBeGreaterThan(0);
  });

  it('refuses another version of the server before it starts anything', async () => {
    const otherVersion = { saved: 'PostgreSQL 18.4', target: 'PostgreSQL 15.18', difference: 'older' };
    const answer = { server: 'db-1', databases: [at('shop', true)], otherVersion };
    test.engine.answers.set('inspect_target', answer);
    expect(await restore()).toMatchObject({
      code: 'DATABASE_SERVER_OLDER',
      message: expect.stringMatching(/PostgreSQL 18\.4.*PostgreSQL 15\.18.*older/),
      hint: expect.stringContaining('acceptOtherVersion'),
    });
    expect([await rows('records'), await rows('restore_records')].map((all) => all.length)).toEqual([1, 0]);
    const accepted = { ...options, acceptOtherVersion: true };
    expect((await restore({ options: accepted })).safetyRecordId).toBeGreaterThan(0);
  });

  it('begins at once when what it replaces cannot be saved, or is not replaced by it, but not over sessions', async () => {
    found({ ...at('shop', true), canBeSaved: false });
    expect(await restore()).toMatchObject({ safetyRecordId: 0, isWaiting: false });
    const session = { id: '7', user: '', address: 'port 3306', program: 'mysqld', since: null };
    found({ ...at('shop', true, [session]), isReplaced: false });
    expect(await restore()).toMatchObject({ safetyRecordId: 0, isWaiting: false });
    found({ ...at('shop', true, [session]), canBeSaved: false });
    expect(await restore()).toMatchObject({ code: 'DATABASE_IN_USE', message: expect.stringContaining('port 3306') });
  });

  it('says when it cannot be saved, and starts nothing', async () => {
    hold();
    await call('POST', `/backup/tasks/${taskId}/run`);
    expect(await restore()).toMatchObject({ code: 'SAFETY_BACKUP_IMPOSSIBLE' });
    expect(await rows('restore_records')).toEqual([]);
  });

  it('keeps the password of another server no longer than it lasts', async () => {
    const release = hold();
    const other = { dbHost: 'db-2', dbPassword: 'typed' };
    const { id, safetyRecordId } = await restore({ options: { ...options, ...other } });
    await expect.poll(() => lastBackup()?.source.config).toMatchObject({ ...other, databases: ['shop'] });
    const record = await recordsStore.get(test.db, Number(safetyRecordId));
    expect(test.box.open(record.source_sealed)).not.toContain('typed');
    expect(test.box.open(record.source_sealed)).not.toContain('top secret');
    release();
    await test.ended(record.id);
    await test.runs.followups.drain();
    await ended(id);
  });

  it('is cancelled while it waits', async () => {
    const release = hold();
    const { id, safetyRecordId } = await restore();
    await call('POST', `/restore/records/${id}/cancel`);
    expect(await restoreNow(id)).toMatchObject({ status: 'cancelled', isWaiting: false });
    release();
    expect(await test.ended(Number(safetyRecordId))).toMatchObject({ status: 'success' });
    await test.runs.followups.drain();
    expect(jobs()).not.toContain('run_restore');
  });

  it('sends an agent both, one after the other', async () => {
    test.fleet.remote = { ...test.fleet.remote, sourceTypes: ['shopdb'] };
    const queue = test.runs.dispatcher;
    test.fleet.answers.set('inspect_target', test.engine.answers.get('inspect_target'));
    const { safetyRecordId } = (await restore({ options, nodeId: test.remoteNodeId })) as Answer & {
      safetyRecordId: number;
    };
    expect(test.fleet.commands.map(({ type }) => type)).toEqual(['run_task']);
    await queue.continueRestore(safetyRecordId);
    expect(test.fleet.commands).toHaveLength(1);
    await test.db.updateTable('records').set({ status: 'success' }).where('id', '=', safetyRecordId).execute();
    await queue.continueRestore(safetyRecordId);
    await queue.continueRestore(safetyRecordId);
    expect(test.fleet.commands.map(({ type }) => type)).toEqual(['run_task', 'restore_record']);
  });
});

describe('a restart of the master', () => {
  async function restart(): Promise<void> {
    await test.close();
    test = await open();
    await test.runs.start();
  }

  it('ends a restore whose backup it interrupted', async () => {
    hold();
    const { id, safetyRecordId } = await restore();
    await restart();
    expect(await test.ended(Number(safetyRecordId))).toMatchObject({ status: 'interrupted' });
    expect(await ended(id)).toMatchObject({ status: 'failed', errorCode: 'SAFETY_BACKUP_FAILED' });
    expect(jobs()).toEqual([]);
  });

  it('goes on with one whose backup had succeeded', async () => {
    const { id, safetyRecordId } = await restore();
    expect(await test.ended(Number(safetyRecordId))).toMatchObject({ status: 'success' });
    expect((await restoreNow(id)).isWaiting).toBe(true);
    await restart();
    await ended(id);
    expect(jobs()).toEqual(['run_restore']);
  });
});

describe('what was saved before a restore', () => {
  it('is no backup of the task, and goes after a month when the task has a rule', async () => {
    const { id, safetyRecordId } = await restore();
    await test.ended(Number(safetyRecordId));
    await test.runs.followups.drain();
    await ended(id);
    const runs = await recordsStore.lastRuns(test.db, [taskId]);
    expect([runs.last.get(taskId)?.id, runs.good.get(taskId)?.id]).toEqual([recordId, recordId]);
    const exists = async () => (await rows('records')).some((row) => row.id === safetyRecordId);
    const runAgain = async () => {
      await test.ended((await call('POST', `/backup/tasks/${taskId}/run`)).id);
      await test.runs.followups.drain();
    };
    await test.db.updateTable('tasks').set({ max_backups: 1 }).execute();
    await runAgain();
    expect(await exists()).toBe(true);
    const old = new Date(Date.now() - 31 * 86_400_000).toISOString();
    await test.db.updateTable('records').set({ started_at: old }).where('id', '=', Number(safetyRecordId)).execute();
    await runAgain();
    expect(await exists()).toBe(false);
  });
});
