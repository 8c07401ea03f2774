/** Runs from the HTTP route to the record's end, over real SQLite, with an engine in memory. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AppError } from '@backupx/contracts/errors';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createTestRuns, type TestRuns, taskBody } from './connect-test-runs.ts';

let test: TestRuns;
beforeEach(async () => {
  test = await createTestRuns();
});
afterEach(async () => {
  await test.close();
});

interface Answer {
  id: number;
  status: string;
  code: string;
  [key: string]: unknown;
}

async function createTask(more: object = {}): Promise<number> {
  const targetId = await test.addTarget(`disk ${Math.random()}`);
  const { status, data } = await test.call('POST', '/backup/tasks', taskBody(targetId, more));
  expect(data).toMatchObject({ enabled: true });
  expect(status).toBe(200);
  return (data as Answer).id;
}

async function run(taskId: number): Promise<Answer> {
  const { status, data } = await test.call('POST', `/backup/tasks/${taskId}/run`);
  expect({ status, data }).toMatchObject({ status: 200, data: { status: 'running' } });
  return data as Answer;
}

async function expectRefused(answer: Promise<{ status: number; data: unknown }>, status: number, code: string) {
  const { status: got, data } = await answer;
  expect({ status: got, code: (data as Answer).code }).toEqual({ status, code });
  return data as Answer;
}

describe('a run on the local node', () => {
  it('goes from the route to a record with an artifact, a log and a restore', async () => {
    const taskId = await createTask();
    const { id } = await run(taskId);
    expect(await test.ended(id)).toMatchObject({ status: 'success' });

    const { data } = await test.call('GET', `/backup/records/${id}`);
    const record = data as Answer;
    expect(record.fileName).toMatch(/^documents-\d{8}T\d{6}Z\.tar$/);
    expect(record.storagePath).toBe(`documents-${taskId}/r${id}/${record.fileName}`);
    expect(record.logContent).toMatch(/^\d{4}-\S+Z INFO running run_backup\n\S+ INFO Ended: success\.\n$/);

    const restore = (await test.call('POST', `/backup/records/${id}/restore`, { targetPath: '/tmp/out' }))
      .data as Answer;
    await expect
      .poll(async () => ((await test.call('GET', `/restore/records/${restore.id}`)).data as Answer).status)
      .toBe('success');
    expect(test.engine.jobs.at(-1)).toMatchObject({ kind: 'run_restore', targetPath: '/tmp/out', paths: null });
    expect((await test.call('GET', `/backup/records/${id}/contents`)).data).toMatchObject({ total: 0 });
  });

  it('refuses a second run of a task and says which record holds it', async () => {
    const taskId = await createTask();
    test.engine.hold = new Promise(() => undefined);
    const { id } = await run(taskId);
    const refused = await expectRefused(test.call('POST', `/backup/tasks/${taskId}/run`), 409, 'BACKUP_TASK_RUNNING');
    expect(refused.message).toContain(`record ${id}`);
    await expectRefused(test.call('DELETE', `/backup/tasks/${taskId}`), 409, 'BACKUP_TASK_RUNNING');
    await expectRefused(test.call('DELETE', `/backup/records/${id}`), 409, 'BACKUP_RECORD_ACTIVE');
  });

  it('keeps code, message and hint of a failure', async () => {
    const taskId = await createTask();
    test.engine.failure = new AppError('SOURCE_NOT_FOUND', { path: '/srv/docs', node: 'local' });
    const { id } = await run(taskId);
    await test.ended(id);
    expect((await test.call('GET', `/backup/records/${id}`)).data).toMatchObject({
      status: 'failed',
      errorCode: 'SOURCE_NOT_FOUND',
      errorMessage: 'The path /srv/docs does not exist on local.',
      errorHint: 'Check the path; it is read on that machine.',
    });
    await expectRefused(test.call('POST', `/backup/records/${id}/restore`, {}), 400, 'BACKUP_RECORD_NO_ARTIFACT');
  });

  it('cancels what runs and what waits, and a cancelled record stays so', async () => {
    test.engine.hold = new Promise(() => undefined);
    const first = await run(await createTask({ name: 'one' }));
    const second = await run(await createTask({ name: 'two' }));
    expect(test.runs.localNode.counts()).toEqual({ running: 1, queued: 1 });
    for (const { id } of [second, first]) {
      expect((await test.call('POST', `/backup/records/${id}/cancel`)).status).toBe(200);
      expect(await test.ended(id)).toMatchObject({ status: 'cancelled' });
    }
    await expectRefused(test.call('POST', `/backup/records/${first.id}/cancel`), 409, 'BACKUP_RECORD_NOT_ACTIVE');
    const late = await test.ends.lifecycle.finishBackup(first.id, {
      status: 'failed',
      failure: { code: 'INTERNAL', params: {}, message: 'late' },
    });
    expect(late).toBe(false);
  });

  it('marks runs as interrupted when the master stops', async () => {
    test.engine.hold = new Promise(() => undefined);
    const { id } = await run(await createTask());
    await test.runs.stop(2000);
    expect(await test.ended(id)).toMatchObject({ status: 'interrupted' });
  });

  it('deletes an artifact with its record, but not a locked one', async () => {
    const { id } = await run(await createTask());
    await test.ended(id);
    expect(test.engine.objects.size).toBe(2);
    await test.call('PUT', `/backup/records/${id}/lock`, { locked: true });
    await expectRefused(test.call('DELETE', `/backup/records/${id}`), 409, 'BACKUP_RECORD_LOCKED');
    await test.call('PUT', `/backup/records/${id}/lock`, { locked: false });
    const { data } = await test.call('POST', '/backup/records/batch-delete', { ids: [id, 4711] });
    expect(data).toMatchObject({ deleted: [id], failed: [{ id: 4711, code: 'BACKUP_RECORD_NOT_FOUND' }] });
    expect(test.engine.objects.size).toBe(0);
    await expectRefused(test.call('GET', `/backup/records/${id}`), 404, 'BACKUP_RECORD_NOT_FOUND');
  });

  it('keeps the record when its objects cannot be deleted', async () => {
    const { id } = await run(await createTask());
    await test.ended(id);
    test.engine.failure = new AppError('STORAGE_UNREACHABLE', { reason: 'down' });
    await expectRefused(test.call('DELETE', `/backup/records/${id}`), 502, 'STORAGE_UNREACHABLE');
    expect((await test.call('GET', `/backup/records/${id}`)).status).toBe(200);
  });

  it('prunes by count after each run, through the durable queue', async () => {
    const taskId = await createTask({ maxBackups: 2, retentionDays: 0 });
    for (let count = 0; count < 4; count += 1) await test.ended((await run(taskId)).id);
    await test.runs.followups.drain();
    const { data } = await test.call('GET', `/backup/records?taskId=${taskId}`);
    expect((data as { total: number }).total).toBe(2);
    expect(test.engine.objects.size).toBe(4);
  });

  it('streams the log of an ended record from an offset', async () => {
    const { id } = await run(await createTask());
    await test.ended(id);
    const url = `/api/backup/records/${id}/logs/stream`;
    const whole = await test.http.inject({ method: 'GET', url });
    expect(whole.headers['content-type']).toContain('text/event-stream');
    expect(whole.body).toContain('running run_backup');
    expect(whole.body).toMatch(/"type":"end","status":"success"/);
    const rest = await test.http.inject({ method: 'GET', url, headers: { 'last-event-id': '30' } });
    expect(rest.body).toContain('"offset":30');
    expect(rest.body).not.toContain('INFO running');
  });
});

describe('a run on a remote node', () => {
  it('creates record and command together and waits for the agent', async () => {
    const taskId = await createTask({ nodeId: test.remoteNodeId });
    const { id } = await run(taskId);
    expect(test.fleet.commands).toEqual([{ nodeId: test.remoteNodeId, type: 'run_task', taskId, recordId: id }]);
    const job = await test.runs.builder.backupJob(id);
    expect(job).toMatchObject({
      keyPrefix: `documents-${taskId}/r${id}`,
      encryption: null,
      targets: [{ viaMaster: false }],
    });
  });

  it('answers NODE_OFFLINE at once and creates nothing', async () => {
    const taskId = await createTask({ nodeId: test.remoteNodeId });
    test.fleet.remote = { ...test.fleet.remote, isOnline: false };
    await expectRefused(test.call('POST', `/backup/tasks/${taskId}/run`), 400, 'NODE_OFFLINE');
    expect(await test.db.selectFrom('records').selectAll().execute()).toEqual([]);
  });

  it('refuses encryption for agents from the field, with a hint', async () => {
    const taskId = await createTask({ nodeId: test.remoteNodeId, encrypt: true });
    test.fleet.remote = { ...test.fleet.remote, protocol: 1, sourceTypes: null };
    const refused = await expectRefused(test.call('POST', `/backup/tasks/${taskId}/run`), 400, 'NOT_SUPPORTED');
    expect(refused.hint).toContain('Install the current agent');
    test.fleet.remote = { ...test.fleet.remote, protocol: 2 };
    const { id } = await run(taskId);
    expect(await test.runs.builder.backupJob(id)).toMatchObject({ encryption: { recipients: ['age1test'] } });
  });

  it('relays through the master when the target says so, and opens such artifacts there', async () => {
    const targetId = await test.addTarget('relayed', { basePath: '/backup', masterRelay: true });
    const body = taskBody(targetId, { nodeId: test.remoteNodeId });
    const task = (await test.call('POST', '/backup/tasks', body)).data as Answer;
    const { id } = await run(task.id);
    const job = await test.runs.builder.backupJob(id);
    expect(job.targets).toMatchObject([{ viaMaster: true }]);
    await finishRemote(id, targetId);
    expect(await test.runs.builder.nodeForArtifact(id)).toBe(test.localNodeId);
    expect(await test.runs.builder.storedArtifact(id, test.localNodeId)).toMatchObject({
      target: { viaMaster: false },
    });
    expect(await test.runs.builder.storedArtifact(id, test.remoteNodeId)).toMatchObject({
      target: { viaMaster: true },
    });
  });

  it("opens an artifact on an agent's own disk there only", async () => {
    const taskId = await createTask({ nodeId: test.remoteNodeId });
    const { id } = await run(taskId);
    const targetId = (await test.runs.builder.backupJob(id)).targets[0]?.id ?? 0;
    await finishRemote(id, targetId);
    expect(await test.runs.builder.nodeForArtifact(id)).toBe(test.remoteNodeId);
    const refused = await expectRefused(
      test.call('POST', `/backup/records/${id}/restore`, { nodeId: test.localNodeId }),
      400,
      'NOT_SUPPORTED',
    );
    expect(refused.hint).toContain('disk of web-1');
    expect((await test.call('DELETE', `/backup/records/${id}`)).status).toBe(200);
    expect(test.fleet.asked).toMatchObject([{ nodeId: test.remoteNodeId, job: { kind: 'delete_objects' } }]);
  });

  it('cancels at once when the command still waits, later when the agent was told', async () => {
    const { id } = await run(await createTask({ nodeId: test.remoteNodeId }));
    await test.call('POST', `/backup/records/${id}/cancel`);
    expect((await test.call('GET', `/backup/records/${id}`)).data).toMatchObject({ status: 'running' });
    test.fleet.endsPending = true;
    await test.call('POST', `/backup/records/${id}/cancel`);
    expect(await test.ended(id)).toMatchObject({ status: 'cancelled' });
  });

  it('repairs an interrupted record by a late result of the same record only', async () => {
    const { id } = await run(await createTask({ nodeId: test.remoteNodeId }));
    await test.ends.lifecycle.finishBackup(id, {
      status: 'interrupted',
      failure: { code: '', params: {}, message: 'lost' },
    });
    expect(await finishRemote(id, 1, 'somebody-else/r1/x.tar')).toBe(false);
    expect(await finishRemote(id, 1)).toBe(true);
    expect(await test.ended(id)).toMatchObject({ status: 'success', error_message: '' });
  });
});

async function finishRemote(id: number, targetId: number, storagePath?: string): Promise<boolean> {
  const { keyPrefix } = await test.db
    .selectFrom('records')
    .select('key_prefix as keyPrefix')
    .where('id', '=', id)
    .executeTakeFirstOrThrow();
  const path = storagePath ?? `${keyPrefix}/a.tar`;
  return await test.ends.lifecycle.finishBackup(id, {
    status: 'success',
    result: {
      status: 'success',
      fileName: 'a.tar',
      storagePath: path,
      contentsPath: `${path}.contents`,
      fileSize: 10,
      checksum: 'a'.repeat(64),
      sourceBytes: 10,
      itemCount: 1,
      targets: [{ targetId, targetName: 't', status: 'success', storagePath: path }],
      problems: [],
      problemCount: 0,
    },
  });
}

describe('a kill of the master', () => {
  it('leaves no record running after the next start', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'backupx-kill-'));
    const path = join(folder, 'data.db');
    const before = await createTestRuns({ path });
    before.engine.hold = new Promise(() => undefined);
    const targetId = await before.addTarget('disk');
    const task = (await before.call('POST', '/backup/tasks', taskBody(targetId))).data as Answer;
    const { id } = (await before.call('POST', `/backup/tasks/${task.id}/run`)).data as Answer;
    await before.ends.reporter.flush();
    // The process is gone without a word: only the file is left.
    await before.db.destroy();

    const after = await createTestRuns({ path });
    await after.runs.start();
    expect(await after.ended(id)).toMatchObject({ status: 'interrupted' });
    const again = await after.call('POST', `/backup/tasks/${task.id}/run`);
    expect(again.status).toBe(200);
    await after.ended((again.data as Answer).id);
    await after.close();
    await rm(folder, { recursive: true });
  });
});
