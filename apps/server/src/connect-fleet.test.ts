/** The fleet with agents of protocol 2, over HTTP on loopback, with a clock that the tests turn. */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { HeartbeatBody, HeartbeatOutput } from '@backupx/contracts/agent-protocol';
import { createFakeClock, type FakeClock } from '@backupx/engine/testing/fake-clock';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startTestMaster, type TestMaster } from './connect-test-fleet.ts';

const HOUR_MS = 3_600_000;
const sha = 'a'.repeat(64);
const room = { work: 1, control: 4 };

interface Command {
  id: number;
  type: string;
  payload: { taskId: number; recordId: number; path?: string; targetConfig?: object; storagePath?: string };
}

let clock: FakeClock;
let master: TestMaster;
let folder: string;
let node: { id: number; token: string };
let taskId: number;
let targetId: number;

async function agent(method: string, path: string, body?: object, signal?: AbortSignal) {
  const answer = await fetch(`${master.url}/api/agent${path}`, {
    method,
    headers: { 'x-agent-token': node.token, 'x-agent-protocol': '2', 'content-type': 'application/json' },
    ...(body ? { body: JSON.stringify(body) } : {}),
    ...(signal ? { signal } : {}),
  });
  const json = (await answer.json()) as { code: string; data?: unknown };
  return { status: answer.status, code: json.code, data: json.data as never };
}

async function beat(more: HeartbeatBody = {}): Promise<HeartbeatOutput> {
  const body = { instanceId: 'i1', bootId: 'b1', ...more };
  return (await agent('POST', '/heartbeat', body)).data;
}

async function poll(body: object = { waitMs: 0, free: room }, signal?: AbortSignal): Promise<Command | null> {
  return ((await agent('POST', '/commands/poll', body, signal)).data as { command: Command | null }).command;
}

/** The answer to the next request that reaches the master, which nobody has written yet. */
async function nextRequest(): Promise<ServerResponse> {
  const [, answer] = (await once(master.http.server, 'request')) as [unknown, ServerResponse];
  return answer;
}

async function run(): Promise<number> {
  const { status, data } = await master.call<{ id: number }>('POST', `/backup/tasks/${taskId}/run`, {});
  expect(status, JSON.stringify(data)).toBe(200);
  return data.id;
}

/** A run that was claimed and whose specification was fetched. */
async function started(): Promise<Command> {
  await run();
  const command = await poll();
  if (!command) throw new Error('nothing was handed out');
  await agent('GET', `/tasks/${taskId}`);
  return command;
}

async function success(recordId: number, more: object = {}) {
  const { key_prefix: prefix } = await row(recordId);
  const storagePath = `${prefix}/x.tar.gz`;
  const artifact = { fileName: 'x.tar.gz', fileSize: 5, checksum: sha, storagePath };
  const targets = [{ targetId, targetName: 'disk', status: 'success', storagePath, fileSize: 5 }];
  return await agent('POST', `/records/${recordId}`, { status: 'success', ...artifact, targets, ...more });
}

const row = (id: number) => master.db.selectFrom('records').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
const command = (id: number) =>
  master.db.selectFrom('commands').selectAll().where('id', '=', id).executeTakeFirstOrThrow();

async function start(): Promise<void> {
  master = await startTestMaster({ clock, path: join(folder, 'test.db') });
}

beforeEach(async () => {
  clock = createFakeClock();
  folder = mkdtempSync(join(tmpdir(), 'fleet-'));
  await start();
  node = await master.addNode('web-1');
  targetId = await master.addTarget('disk', { basePath: '/srv/store' });
  taskId = await master.addTask(node.id, targetId);
  await beat();
});
afterEach(async () => {
  await master.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('polling', () => {
  it('a long poll is answered as soon as a run is started', async () => {
    const waiting = poll({ waitMs: 30_000, free: room });
    const recordId = await run();
    expect(await waiting).toMatchObject({ type: 'run_task', payload: { taskId, recordId } });
  });

  it('a question is answered while work runs, and work waits for room', async () => {
    await started();
    const waiting = poll({ waitMs: 30_000, free: { work: 0, control: 1 } });
    const asked = master.call('GET', `/nodes/${node.id}/fs/list?path=/etc`);
    const question = await waiting;
    expect(question).toMatchObject({ type: 'list_dir', payload: { path: '/etc' } });
    await agent('POST', `/commands/${question?.id}/result`, { success: true, result: { entries: [] } });
    expect(await asked).toEqual({ status: 200, data: { entries: [] } });
    expect(await poll({ waitMs: 0, free: { work: 0, control: 1 } })).toBeNull();
  });

  it('ends with the master, and at once when the token is replaced', async () => {
    const arrived = nextRequest();
    const waiting = poll({ waitMs: 50_000, free: room });
    await arrived;
    await new Promise((resolve) => setTimeout(resolve, 50));
    await master.call('POST', `/nodes/${node.id}/rotate-token`, {});
    expect(await waiting).toBeNull();
    expect((await agent('POST', '/commands/poll', {})).status).toBe(401);
  });

  it('a poll given up by the agent takes nothing', async () => {
    const gone = new AbortController();
    const arrived = nextRequest();
    const waiting = poll({ waitMs: 30_000, free: room }, gone.signal).catch(() => 'gone');
    const answer = await arrived;
    await new Promise((resolve) => setTimeout(resolve, 50));
    const left = once(answer, 'close');
    gone.abort();
    expect(await waiting).toBe('gone');
    await left;
    await run();
    expect(await poll()).toMatchObject({ type: 'run_task' });
  });
});

describe('a run', () => {
  it('reports log once, progress, and a warning with its problems', async () => {
    const { id, payload } = await started();
    const piece = { logAppend: 'one\n', logSequence: 1 };
    await agent('POST', `/records/${payload.recordId}`, piece);
    await agent('POST', `/records/${payload.recordId}`, piece);
    await agent('POST', `/records/${payload.recordId}`, { logAppend: 'two\n', logSequence: 2 });
    const problems = [{ path: '/srv/x', code: 'vanished', message: 'gone' }];
    const answer = await success(payload.recordId, { outcome: 'warning', problems, problemCount: 1, itemCount: 3 });
    expect(answer).toMatchObject({ status: 200, data: { status: 'ok' } });
    await agent('POST', `/commands/${id}/result`, { success: true });
    const record = await master.record(payload.recordId);
    expect(record).toMatchObject({
      status: 'warning',
      problems,
      itemCount: 3,
      checksum: sha,
      storageTargetId: targetId,
    });
    expect(String(record.logContent).match(/one/g)).toHaveLength(1);
    expect(record.logContent).toContain('two');
    expect(await command(id)).toMatchObject({ state: 'succeeded' });
  });

  it('a repeated result changes nothing', async () => {
    const { id, payload } = await started();
    await success(payload.recordId);
    const first = await agent('POST', `/commands/${id}/result`, { success: true });
    const again = await agent('POST', `/commands/${id}/result`, { success: false, errorMessage: 'late' });
    expect([first.status, again.status]).toEqual([200, 200]);
    expect(await command(id)).toMatchObject({ state: 'succeeded', error_message: '' });
    expect(await master.record(payload.recordId)).toMatchObject({ status: 'success' });
  });

  it('a result without a closing report ends the record, with the code of the agent', async () => {
    const { id, payload } = await started();
    const errorMessage = 'The path /srv does not exist on web-1.';
    await agent('POST', `/commands/${id}/result`, { success: false, errorMessage, errorCode: 'SOURCE_NOT_FOUND' });
    expect(await master.record(payload.recordId)).toMatchObject({ status: 'failed', errorCode: 'SOURCE_NOT_FOUND' });
  });

  it('is refused keys outside its prefix, unknown targets and a success without checksum', async () => {
    const { payload } = await started();
    const { recordId } = payload;
    const { key_prefix: prefix } = await row(recordId);
    const field = `BackupX/file/260101/records/${recordId}/x.tar`;
    expect(await success(recordId, { storagePath: field })).toMatchObject({ status: 403 });
    expect(await success(recordId, { storagePath: `${prefix}/../x` })).toMatchObject({ code: 'STORAGE_INVALID_KEY' });
    expect(await success(recordId, { contentsPath: 'elsewhere' })).toMatchObject({ status: 403 });
    const stranger = [{ targetId: 99, targetName: '', status: 'success' }];
    expect(await success(recordId, { targets: stranger })).toMatchObject({ code: 'BACKUP_RECORD_FORBIDDEN' });
    expect(await success(recordId, { checksum: '' })).toMatchObject({ code: 'INVALID_INPUT' });
    expect(await row(recordId)).toMatchObject({ status: 'running' });
  });

  it('hears of a cancel by heartbeat and by update, and reports the end itself', async () => {
    const { id, payload } = await started();
    const { recordId } = payload;
    expect((await master.call('POST', `/backup/records/${recordId}/cancel`, {})).status).toBe(200);
    expect(await row(recordId)).toMatchObject({ status: 'running' });
    expect((await beat({ activeCommandIds: [id] })).cancelCommandIds).toEqual([id]);
    expect((await agent('POST', `/records/${recordId}`, { logAppend: 'x' })).data).toEqual({
      status: 'ok',
      cancel: true,
    });
    await agent('POST', `/records/${recordId}`, { status: 'failed', outcome: 'cancelled', errorCode: 'CANCELLED' });
    await agent('POST', `/commands/${id}/result`, {
      success: false,
      errorMessage: 'cancelled',
      errorCode: 'CANCELLED',
    });
    expect(await row(recordId)).toMatchObject({ status: 'cancelled' });
    expect((await beat({ activeCommandIds: [] })).cancelCommandIds).toEqual([]);
  });

  it('that does not stop when told is over after two minutes, and its agent is told so', async () => {
    const { id, payload } = await started();
    await master.call('POST', `/backup/records/${payload.recordId}/cancel`, {});
    await clock.advance(60_000);
    await beat({ activeCommandIds: [id] });
    await master.fleet.commands.scan();
    expect(await row(payload.recordId)).toMatchObject({ status: 'running' });
    await clock.advance(61_000);
    await master.fleet.commands.scan();
    expect(await row(payload.recordId)).toMatchObject({ status: 'cancelled' });
    const answer = await agent('POST', `/records/${payload.recordId}`, { logAppend: 'still here' });
    expect(answer.data).toEqual({ status: 'ok', cancel: true });
  });

  it('that waits is cancelled at once and never handed out', async () => {
    const recordId = await run();
    await master.call('POST', `/backup/records/${recordId}/cancel`, {});
    expect(await row(recordId)).toMatchObject({ status: 'cancelled' });
    expect(await poll()).toBeNull();
  });
});

describe('an upload through the master', () => {
  async function relay(body: string | ReadableStream, signal?: AbortSignal, key?: string) {
    const target = await master.addTarget(`relay-${Math.random()}`, { basePath: '/x', masterRelay: true });
    taskId = await master.addTask(node.id, target);
    const { payload } = await started();
    const { key_prefix: prefix } = await row(payload.recordId);
    const objectKey = key ?? `${prefix}/x.tar`;
    const sent = fetch(`${master.url}/api/agent/records/${payload.recordId}/artifacts/${target}`, {
      method: 'PUT',
      headers: { 'x-agent-token': node.token, 'x-agent-protocol': '2', 'x-backupx-object-key': objectKey },
      body,
      duplex: 'half',
      ...(signal ? { signal } : {}),
    } as RequestInit);
    return { sent, objectKey };
  }

  it('of unknown length is stored and its checksum answered', async () => {
    const { sent, objectKey } = await relay(new Blob(['hello']).stream());
    const { data } = (await (await sent).json()) as { data: object };
    const checksum = '2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824';
    expect(data).toEqual({ storagePath: objectKey, fileSize: 5, checksum });
    expect(master.storage.objects.has(objectKey)).toBe(true);
  });

  it('that is cut off leaves nothing', async () => {
    const cut = new AbortController();
    const endless = new ReadableStream({
      async pull(controller) {
        await new Promise((resolve) => setTimeout(resolve, 5));
        controller.enqueue(new Uint8Array(1000));
      },
    });
    const { sent } = await relay(endless, cut.signal);
    setTimeout(() => cut.abort(), 100);
    await expect(sent).rejects.toThrow();
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(master.storage.objects.size).toBe(0);
  });

  it('under the key of somebody else is refused', async () => {
    const { sent } = await relay('x', undefined, 'other-1/r1/x.tar');
    expect((await sent).status).toBe(403);
    expect(master.storage.objects.size).toBe(0);
  });

  it('to a target that is not reached through the master is refused', async () => {
    const { payload } = await started();
    const { key_prefix: prefix } = await row(payload.recordId);
    const answer = await fetch(`${master.url}/api/agent/records/${payload.recordId}/artifacts/${targetId}`, {
      method: 'PUT',
      headers: { 'x-agent-token': node.token, 'x-agent-protocol': '2', 'x-backupx-object-key': `${prefix}/x` },
      body: 'x',
    });
    expect(answer.status).toBe(403);
  });
});

describe('lost and found', () => {
  it('a new process that does not hold the run: interrupted at once, and the task runs again', async () => {
    const { payload } = await started();
    await clock.advance(5_000);
    await beat({ bootId: 'b2', activeCommandIds: [] });
    expect(await row(payload.recordId)).toMatchObject({ status: 'interrupted' });
    const again = await run();
    expect(await poll()).toMatchObject({ payload: { recordId: again } });
  });

  it('a new process that kept the run in its journal goes on', async () => {
    const { id, payload } = await started();
    await clock.advance(5_000);
    await beat({ bootId: 'b2', activeCommandIds: [id] });
    expect(await row(payload.recordId)).toMatchObject({ status: 'running' });
    expect(await command(id)).toMatchObject({ boot_id: 'b2' });
  });

  it('the same process is believed only after the claim must have arrived', async () => {
    const { payload } = await started();
    await clock.advance(15_000);
    await beat({ activeCommandIds: [] });
    expect(await row(payload.recordId)).toMatchObject({ status: 'running' });
    await clock.advance(16_000);
    await beat({ activeCommandIds: [] });
    expect(await row(payload.recordId)).toMatchObject({ status: 'interrupted' });
  });

  it('a command whose specification nobody fetched is handed out again', async () => {
    const recordId = await run();
    const first = await poll();
    await clock.advance(31_000);
    await beat({ activeCommandIds: [] });
    expect(await poll()).toMatchObject({ id: first?.id, payload: { recordId } });
  });

  it('a success that arrives after the run was given up repairs the record', async () => {
    const { payload } = await started();
    await clock.advance(5_000);
    await beat({ bootId: 'b2', activeCommandIds: [] });
    await success(payload.recordId);
    expect(await row(payload.recordId)).toMatchObject({ status: 'success', checksum: sha });
  });

  it('a restart of the master loses nothing', async () => {
    const { id, payload } = await started();
    await master.close();
    await start();
    await beat({ activeCommandIds: [id] });
    expect(await row(payload.recordId)).toMatchObject({ status: 'running' });
    expect((await agent('GET', `/tasks/${taskId}`)).status).toBe(200);
    await success(payload.recordId);
    await agent('POST', `/commands/${id}/result`, { success: true });
    expect(await row(payload.recordId)).toMatchObject({ status: 'success' });
  });

  it('a record without a command ends when the master starts', async () => {
    const recordId = await run();
    await master.db.deleteFrom('commands').execute();
    await master.close();
    await start();
    expect(await row(recordId)).toMatchObject({ status: 'interrupted' });
  });
});

describe('time', () => {
  it('a run that reports is never stale, one of a silent node is after six hours', async () => {
    const { id, payload } = await started();
    for (let hour = 0; hour < 12; hour += 1) {
      await clock.advance(HOUR_MS);
      await agent('POST', `/records/${payload.recordId}`, { logAppend: '.' });
      await master.fleet.commands.scan();
    }
    expect(await row(payload.recordId)).toMatchObject({ status: 'running' });
    await clock.advance(6 * HOUR_MS + 1);
    await master.fleet.commands.scan();
    expect(await row(payload.recordId)).toMatchObject({ status: 'interrupted' });
    expect(await command(id)).toMatchObject({ state: 'timeout' });
  });

  it('a run whose agent never comes back is over, honestly and visibly, and the task can run again', async () => {
    const { id, payload } = await started();
    const heard: unknown[] = [];
    master.bus.subscribe(({ event }) => heard.push(event));
    await clock.advance(6 * HOUR_MS - 1);
    await master.fleet.commands.scan();
    expect(await row(payload.recordId)).toMatchObject({ status: 'running' });
    await clock.advance(2);
    await master.fleet.commands.scan();
    const lost = await master.record(payload.recordId);
    expect(lost).toMatchObject({
      ...{ status: 'interrupted', errorCode: 'AGENT_FAILED' },
      ...{ errorMessage: 'The server stayed silent for too long.', completedAt: clock.now().toISOString() },
    });
    expect(lost.logContent).toMatch(/ Ended: interrupted\. The server stayed silent for too long\.\n$/);
    const over = { type: 'record_changed', recordId: payload.recordId, taskId };
    expect(heard).toEqual([{ ...over, status: 'interrupted' }]);
    expect(await command(id)).toMatchObject({ state: 'timeout' });
    const { data } = await master.call<{ exceptions: object[] }>('GET', '/dashboard/overview');
    expect(data.exceptions).toMatchObject([{ taskId, recordId: payload.recordId, reason: 'failed' }]);

    // Another machine in its place, or the same one repaired.
    await beat({ bootId: 'b2', activeCommandIds: [] });
    const again = await run();
    expect(await poll()).toMatchObject({ payload: { recordId: again } });
    await agent('GET', `/tasks/${taskId}`);
    expect(await success(again)).toMatchObject({ status: 200 });
    expect(await row(again)).toMatchObject({ status: 'success' });
  });

  it('what an agent says after its run was given up is taken only with proof, and the log tells both ends', async () => {
    const { id, payload } = await started();
    const { recordId } = payload;
    await clock.advance(6 * HOUR_MS + 1);
    await master.fleet.commands.scan();
    const heard: unknown[] = [];
    master.bus.subscribe(({ event }) => heard.push(event));
    const { completed_at: lostAt } = await row(recordId);
    await clock.advance(HOUR_MS);
    await agent('POST', `/records/${recordId}`, {
      status: 'failed',
      errorMessage: 'no room',
      errorCode: 'STORAGE_FULL',
    });
    await agent('POST', `/commands/${id}/result`, { success: true });
    expect(await success(recordId, { checksum: '' })).toMatchObject({ code: 'INVALID_INPUT' });
    const given = { status: 'interrupted', completed_at: lostAt, error_code: 'AGENT_FAILED', storage_path: '' };
    expect(await row(recordId)).toMatchObject(given);
    expect(await command(id)).toMatchObject({ state: 'timeout' });
    expect(heard).toEqual([]);
    // The backup is whole, and its place and checksum are told: that is worth more than the guess.
    expect(await success(recordId)).toMatchObject({ status: 200 });
    const record = await master.record(recordId);
    expect(record).toMatchObject({ status: 'success', checksum: sha, errorMessage: '' });
    expect(record.logContent).toMatch(/ Ended: interrupted\. .*\n(.*\n)*.* Ended: success\.\n$/);
    expect(heard).toContainEqual({ type: 'record_changed', recordId, taskId, status: 'success' });
    expect(await command(id)).toMatchObject({ state: 'timeout' });
  });

  it('a waiting run outlasts a busy node, but not a day of silence', async () => {
    const recordId = await run();
    for (let hour = 0; hour < 30; hour += 1) {
      await clock.advance(HOUR_MS);
      await beat({ activeCommandIds: [] });
      await master.fleet.commands.scan();
    }
    expect(await row(recordId)).toMatchObject({ status: 'running' });
    await clock.advance(24 * HOUR_MS + 1);
    await master.fleet.commands.scan();
    expect(await row(recordId)).toMatchObject({ status: 'failed', error_code: 'NODE_OFFLINE' });
    await beat();
    expect(await poll()).toBeNull();
  });
});

describe('questions', () => {
  it('an offline node answers at once that it is offline', async () => {
    await clock.advance(46_000);
    const { status, data } = await master.call('GET', `/nodes/${node.id}/fs/list?path=/`);
    expect([status, data.code]).toEqual([400, 'NODE_OFFLINE']);
  });

  it('nobody answers: timeout, and the question is not handed out later', async () => {
    const asked = master.fleet.queue.ask(node.id, { kind: 'list_directory', path: '/' }, 60);
    await expect(asked).rejects.toMatchObject({ code: 'AGENT_COMMAND_TIMEOUT' });
    expect(await poll()).toBeNull();
  });

  it('deletes object by object and writes no setting to the database', async () => {
    const target = { id: 1, name: 't', type: 's3', config: { secretAccessKey: 'hush' }, viaMaster: false };
    const asked = master.fleet.queue.ask(node.id, { kind: 'delete_objects', target, keys: ['a/1', 'a/2'] }, 5_000);
    const seen: unknown[] = [];
    for (let index = 0; index < 2; index += 1) {
      const next = await master.until(() => poll());
      seen.push(next.payload);
      await agent('POST', `/commands/${next.id}/result`, { success: true, result: { deleted: true } });
    }
    expect(await asked).toEqual({ deleted: 2 });
    const common = { targetType: 's3', targetConfig: { secretAccessKey: 'hush' } };
    expect(seen).toEqual([
      { ...common, storagePath: 'a/1' },
      { ...common, storagePath: 'a/2' },
    ]);
    expect(JSON.stringify(await master.db.selectFrom('commands').selectAll().execute())).not.toContain('hush');
  });

  it('an agent from the field is not asked what it does not know', async () => {
    await beat({ stopping: true });
    await fetch(`${master.url}/api/agent/heartbeat`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ token: node.token }),
    });
    const asked = master.fleet.queue.ask(node.id, { kind: 'test_storage', storage: { type: 's3', config: {} } }, 100);
    await expect(asked).rejects.toMatchObject({ code: 'NOT_SUPPORTED' });
  });
});

describe('the console', () => {
  it('shows status and counts, as a list or a page', async () => {
    await run();
    const { data } = await master.call<unknown[]>('GET', '/nodes');
    expect(data).toMatchObject([
      { isLocal: true, status: 'online', protocol: 2 },
      { id: node.id, status: 'online', protocol: 2, taskCount: 1, runningCount: 1, queueDepth: 1 },
    ]);
    const page = await master.call('GET', '/nodes?page=1&pageSize=1&sort=-name');
    expect(page.data).toMatchObject({ items: [{ name: 'web-1' }], total: 2 });
    const fresh = await master.addNode('web-2');
    expect((await master.call('GET', `/nodes/${fresh.id}`)).data).toMatchObject({ status: 'pending', lastSeen: null });
    await clock.advance(46_000);
    expect((await master.call('GET', `/nodes/${node.id}`)).data).toMatchObject({ status: 'offline' });
  });

  it('stores the hash of a token only', async () => {
    expect(node.token).toMatch(new RegExp(`^bxa_${node.id}_[A-Za-z0-9_-]{43}$`));
    expect(JSON.stringify(await master.db.selectFrom('nodes').selectAll().execute())).not.toContain(node.token);
    expect(JSON.stringify((await master.call('GET', `/nodes/${node.id}`)).data)).not.toContain(node.token);
  });

  it('renames, refuses a taken name, and the agent learns the new one', async () => {
    expect((await master.call('PUT', `/nodes/${node.id}`, { name: 'local' })).data.code).toBe('NODE_NAME_TAKEN');
    expect((await master.call('POST', '/nodes', { name: 'web-1' })).data.code).toBe('NODE_NAME_TAKEN');
    await master.call('PUT', `/nodes/${node.id}`, { name: 'db-1' });
    expect((await beat()).name).toBe('db-1');
  });

  it('keeps nodes that are used, and the local one', async () => {
    const used = await master.call('DELETE', `/nodes/${node.id}`);
    expect([used.status, used.data.code]).toEqual([400, 'NODE_HAS_TASKS']);
    expect(used.data.message).toContain('1 task');
    const local = await master.call('DELETE', `/nodes/${master.fleet.localNodeId}`);
    expect([local.status, local.data.code]).toEqual([400, 'NODE_DELETE_LOCAL']);
    expect((await master.call('DELETE', '/nodes/9999')).data.code).toBe('NODE_NOT_FOUND');
  });

  it('removes a node with its token', async () => {
    const other = await master.addNode('web-2');
    expect((await master.call('DELETE', `/nodes/${other.id}`)).status).toBe(200);
    node = other;
    expect((await agent('POST', '/commands/poll', {})).status).toBe(401);
  });

  it('turns a second installation away', async () => {
    const second = await agent('POST', '/heartbeat', { instanceId: 'i2', bootId: 'x' });
    expect([second.status, second.code]).toEqual([409, 'CONFLICT']);
    expect(master.warnings).toHaveLength(1);
  });
});
