/** Verifications from the HTTP route to their end, on the master and on an agent, by hand and by schedule. */

import { MASKED_SECRET } from '@backupx/contracts/driver-manifest';
import { AppError } from '@backupx/contracts/errors';
import type { VerifyArtifactResult } from '@backupx/contracts/jobs';
import { systemClock } from '@backupx/engine/ports/clock';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createTestRuns, type TestRuns, taskBody } from './connect-test-runs.ts';
import { silentLog } from './dispatch/dispatch-log.ts';
import { createDueVerifications } from './scheduling/due-verifications.ts';
import { tasksStore } from './stores/tasks.store.ts';

let test: TestRuns;
beforeEach(async () => {
  test = await createTestRuns();
  test.engine.answers.set('verify_artifact', good);
});
afterEach(async () => {
  await test.close();
});

type Answer = Record<string, unknown> & { id: number };
const counts = { itemCount: 1, sourceBytes: 3, storedBytes: 3 };
const check = { subject: 'a.tar', name: 'checksum', detail: '3 bytes' } as const;
const good: VerifyArtifactResult = { status: 'success', checks: [{ ...check, ok: true }], ...counts };
const bad: VerifyArtifactResult = { status: 'failed', checks: [{ ...check, ok: false }], ...counts };

async function backup(more: object = {}): Promise<{ taskId: number; recordId: number }> {
  const targetId = await test.addTarget(`disk ${Math.random()}`);
  const task = (await test.call('POST', '/backup/tasks', taskBody(targetId, more))).data as Answer;
  const { id } = (await test.call('POST', `/backup/tasks/${task.id}/run`)).data as Answer;
  await test.ended(id);
  return { taskId: task.id, recordId: id };
}

const get = async (path: string) => (await test.call('GET', path)).data as Answer;
async function verified(id: number): Promise<Answer> {
  await expect.poll(async () => (await get(`/verify/records/${id}`)).status).not.toBe('running');
  return await get(`/verify/records/${id}`);
}

describe('a verification', () => {
  it('goes from the route to what is known of the record, the task and the overview', async () => {
    const { taskId, recordId } = await backup();
    expect(await get('/dashboard/overview')).toMatchObject({ verification: { failed: 0, never: 1 } });
    const { status, data } = await test.call('POST', `/backup/records/${recordId}/verify`, { mode: 'deep' });
    expect({ status, data }).toMatchObject({ status: 200, data: { status: 'running', mode: 'deep', recordId } });
    const ended = await verified((data as Answer).id);
    expect(ended).toMatchObject({ status: 'success', checks: good.checks, problemCount: 0, itemCount: 1 });
    expect(ended.logContent).toContain('passed checksum: a.tar: 3 bytes');
    expect(test.engine.jobs.at(-1)).toMatchObject({ kind: 'verify_artifact', mode: 'deep', source: { type: 'file' } });
    const last = { status: 'success', mode: 'deep' };
    expect(await get(`/backup/records/${recordId}`)).toMatchObject({ lastVerified: last });
    expect(await get(`/backup/tasks/${taskId}`)).toMatchObject({ lastVerified: last });
    expect(await get('/dashboard/overview')).toMatchObject({ verification: { failed: 0, never: 0 } });
    expect(await get(`/verify/records?taskId=${taskId}`)).toMatchObject({ total: 1 });
  });

  it('that finds damage fails with what it found, and the task is not protected any more', async () => {
    const { taskId } = await backup();
    test.engine.answers.set('verify_artifact', bad);
    const { data } = await test.call('POST', `/backup/tasks/${taskId}/verify`);
    const ended = await verified((data as Answer).id);
    expect(ended).toMatchObject({ status: 'failed', errorCode: 'ARTIFACT_DAMAGED', problemCount: 1, mode: 'quick' });
    const overview = await get('/dashboard/overview');
    expect(overview).toMatchObject({ verification: { failed: 1, never: 0 }, protectedTasks: 0 });
    expect(overview.exceptions).toMatchObject([{ taskId, reason: 'verify_failed' }]);
    expect(overview.verification).toMatchObject({ lastFailed: { id: ended.id, taskId, at: ended.completedAt } });
    test.engine.answers.set('verify_artifact', good);
    await verified(((await test.call('POST', `/backup/tasks/${taskId}/verify`)).data as Answer).id);
    expect((await get('/dashboard/overview')).verification).toEqual({ failed: 0, never: 0, lastFailed: null });
  });

  it('restores into a server that is named, with its own login, which is forgotten at the end', async () => {
    const extraConfig = { dbHost: 'db-1', dbPassword: 'top secret' };
    const { recordId } = await backup({ type: 'shopdb', sourcePath: '', extraConfig });
    const options = { dbHost: 'test-1', dbPassword: 'typed' };
    const start = async (body: object) =>
      (await test.call('POST', `/backup/records/${recordId}/verify`, body)).data as Answer;
    const { id } = await start({ mode: 'deep', options });
    const ended = await verified(id);
    expect(ended).toMatchObject({ status: 'success', options: { ...options, dbPassword: MASKED_SECRET } });
    const job = test.engine.jobs.findLast((one) => one.kind === 'verify_artifact');
    expect(job).toMatchObject({ mode: 'deep', options });
    expect(JSON.stringify(job)).not.toContain('top secret');
    const row = await test.db.selectFrom('verify_records').selectAll().executeTakeFirstOrThrow();
    expect([row.options_sealed, row.options.includes('typed')]).toEqual(['', false]);

    const field = async (body: object) => (await start(body)).fields as unknown;
    expect(await field({ mode: 'quick', options })).toMatchObject([{ path: 'mode' }]);
    expect(await field({ mode: 'deep', options: { rename: ['a=b'] } })).toMatchObject([{ path: 'options.rename' }]);
  });

  it('of files has no server to be made on', async () => {
    const { recordId } = await backup();
    const { data } = await test.call('POST', `/backup/records/${recordId}/verify`, {
      mode: 'deep',
      options: { dbHost: 'test-1' },
    });
    expect((data as Answer).code).toBe('INVALID_INPUT');
  });

  it('that cannot look says nothing about the record', async () => {
    const { recordId } = await backup();
    test.engine.failure = new AppError('STORAGE_UNREACHABLE', { reason: 'no route' });
    const { data } = await test.call('POST', `/backup/records/${recordId}/verify`);
    expect(await verified((data as Answer).id)).toMatchObject({ status: 'failed', errorCode: 'STORAGE_UNREACHABLE' });
    expect(await get(`/backup/records/${recordId}`)).toMatchObject({ lastVerified: null });
  });

  it('is one at a time, can be cancelled, and keeps its record from being deleted', async () => {
    const { recordId } = await backup();
    test.engine.hold = new Promise(() => {});
    const { id } = (await test.call('POST', `/backup/records/${recordId}/verify`)).data as Answer;
    const second = await test.call('POST', `/backup/records/${recordId}/verify`);
    expect(second).toMatchObject({ status: 409, data: { code: 'VERIFY_RUNNING' } });
    expect(await test.call('DELETE', `/backup/records/${recordId}`)).toMatchObject({
      data: { code: 'BACKUP_RECORD_ACTIVE' },
    });
    expect(await test.call('POST', `/verify/records/${id}/cancel`)).toMatchObject({ status: 200 });
    expect(await verified(id)).toMatchObject({ status: 'cancelled' });
  });

  it('needs a record with an artifact', async () => {
    const { recordId } = await backup();
    expect(await test.call('POST', '/backup/records/999/verify')).toMatchObject({ status: 404 });
    expect(await test.call('GET', '/verify/records/999')).toMatchObject({ data: { code: 'VERIFY_RECORD_NOT_FOUND' } });
    await test.db.updateTable('records').set({ status: 'failed' }).where('id', '=', recordId).execute();
    expect(await test.call('POST', `/backup/records/${recordId}/verify`)).toMatchObject({
      data: { code: 'BACKUP_RECORD_NO_ARTIFACT' },
    });
  });

  it('of a task without a schedule for it is refused by the form', async () => {
    const targetId = await test.addTarget('t');
    const body = taskBody(targetId, { verifyEnabled: true, verifyCronExpr: 'never' });
    const { status, data } = await test.call('POST', '/backup/tasks', body);
    expect({ status, data }).toMatchObject({ status: 400, data: { fields: [{ path: 'verifyCronExpr' }] } });
  });
});

describe('scheduled verifications', () => {
  it('take the newest good record once per slot, not while a backup runs', async () => {
    const { taskId, recordId } = await backup({ verifyEnabled: true, verifyCronExpr: '0 5 * * *', verifyMode: 'deep' });
    const task = await get(`/backup/tasks/${taskId}`);
    expect(task).toMatchObject({ verifyEnabled: true, verifyMode: 'deep', nextVerifyAt: expect.any(String) });
    const due = createDueVerifications({
      db: test.db,
      clock: systemClock,
      dispatcher: test.runs.dispatcher,
      defaultTimezone: async () => 'UTC',
      log: silentLog,
    });
    expect(await due.tick()).toBe(0);
    const past = { next_verify_at: '2020-01-01T00:00:00.000Z' };
    await tasksStore.update(test.db, taskId, past);
    await test.db.updateTable('records').set({ status: 'running' }).where('id', '=', recordId).execute();
    expect(await due.tick()).toBe(0);
    await test.db.updateTable('records').set({ status: 'success' }).where('id', '=', recordId).execute();
    expect(await due.tick()).toBe(1);
    expect(await due.tick()).toBe(0);
    const { items } = (await get('/verify/records')) as unknown as { items: Answer[] };
    expect(items).toMatchObject([{ trigger: 'schedule', mode: 'deep', recordId }]);
    await verified(items[0]?.id ?? 0);
  });
});
