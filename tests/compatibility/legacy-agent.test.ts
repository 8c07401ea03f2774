/** Agents already in the field against our master: they work unchanged, and what they get wrong is repaired. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startTestMaster, type TestMaster } from '../../apps/server/src/connect-test-fleet.ts';
import { AgentKilled, createLegacyAgent, type LegacyAgent } from './legacy-agent.ts';

let master: TestMaster;
let folder: string;
let node: { id: number; token: string };
let agent: LegacyAgent;
let killAt: string | null;
let onStep: (step: string) => void | Promise<void>;

const newAgent = (more: { token?: string; hostname?: string } = {}) =>
  createLegacyAgent({
    masterUrl: master.url,
    token: node.token,
    ...more,
    at: async (step) => {
      if (step === killAt) throw new AgentKilled(step);
      await onStep(step);
    },
  });

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'compat-'));
  mkdirSync(join(folder, 'data', 'inner'), { recursive: true });
  writeFileSync(join(folder, 'data', 'a.txt'), 'hello');
  writeFileSync(join(folder, 'data', 'inner', 'b.bin'), Buffer.alloc(200_000, 7));
  killAt = null;
  onStep = () => undefined;
  master = await startTestMaster();
  node = await master.addNode('web-1');
  agent = newAgent();
  await agent.heartbeat();
});

afterEach(async () => {
  await master.close();
  rmSync(folder, { recursive: true, force: true });
});

async function taskOn(config: object, more: object = {}): Promise<number> {
  const target = await master.addTarget(`target-${Math.random()}`, { ...config });
  return await master.addTask(node.id, target, { sourcePath: join(folder, 'data'), ...more });
}

async function run(taskId: number): Promise<number> {
  const { status, data } = await master.call<{ id: number }>('POST', `/backup/tasks/${taskId}/run`, {});
  expect(status, JSON.stringify(data)).toBe(200);
  return data.id;
}

const direct = () => taskOn({ basePath: join(folder, 'store') });
const relayed = () => taskOn({ basePath: '/unused', masterRelay: true });

describe('an agent in the field', () => {
  it('sees the envelope exactly as before', async () => {
    const { json } = await agent.request('POST', '/api/agent/heartbeat', { token: node.token, hostname: 'h' });
    expect(json).toEqual({ code: 'OK', message: 'success', data: { status: 'ok', nodeId: node.id, name: 'web-1' } });
    const poll = await agent.request('POST', '/api/agent/commands/poll');
    expect(poll.json).toEqual({ code: 'OK', message: 'success', data: { command: null } });
    const self = await agent.request('GET', '/api/v1/agent/self');
    expect(self.json.data).toMatchObject({ id: node.id, name: 'web-1', status: 'online', hostname: 'h' });
  });

  it('backs up straight to its own disk, with every log line on the record', async () => {
    const recordId = await run(await direct());
    expect(await agent.pollOnce()).toBe('run_task');
    const record = await master.record(recordId);
    expect(record).toMatchObject({ status: 'success', taskType: 'file' });
    expect(record.storagePath).toMatch(new RegExp(`^BackupX/file/\\d{6}/records/${recordId}/.+\\.tar\\.gz$`));
    expect(record.logContent).toContain('running task');
    expect(record.logContent).toContain('done,');
    const stored = join(folder, 'store', String(record.storagePath));
    expect(readFileSync(stored).length).toBe(record.fileSize);
    mkdirSync(join(folder, 'out'));
    execFileSync('tar', ['-xf', stored, '-C', join(folder, 'out')]);
    expect(readFileSync(join(folder, 'out', 'data', 'a.txt'), 'utf8')).toBe('hello');
  });

  it('backs up through the master and restores from there', async () => {
    const recordId = await run(await relayed());
    expect(await agent.pollOnce()).toBe('run_task');
    const record = await master.record(recordId);
    expect(record).toMatchObject({ status: 'success' });
    expect(master.storage.objects.get(String(record.storagePath))?.length).toBe(record.fileSize);

    writeFileSync(join(folder, 'data', 'a.txt'), 'overwritten');
    const restore = await master.call<{ id: number }>('POST', `/backup/records/${recordId}/restore`, {
      overwrite: 'always',
    });
    expect(restore.status, JSON.stringify(restore.data)).toBe(200);
    expect(await agent.pollOnce()).toBe('restore_record');
    const { data } = await master.call('GET', `/restore/records/${restore.data.id}`);
    expect(data).toMatchObject({ status: 'success' });
    expect(data.logContent).toContain('checksum is right');
    expect(readFileSync(join(folder, 'data', 'a.txt'), 'utf8')).toBe('hello');
  });

  it('never learns the settings of a target it reaches through the master', async () => {
    const taskId = await relayed();
    await run(taskId);
    let spec: unknown;
    onStep = async (step) => {
      if (step === 'running') spec = (await agent.request('GET', `/api/agent/tasks/${taskId}`)).json.data;
    };
    await agent.pollOnce();
    expect(spec).toMatchObject({ storageTargets: [{ transferMode: 'master_relay', config: {} }], encrypt: false });
    expect((spec as { sourcePaths: string }).sourcePaths).toBe(join(folder, 'data'));
    expect(Object.keys(spec as object)).not.toContain('keyPrefix');
  });

  it('may spread its report over several updates and name no target', async () => {
    const recordId = await run(await direct());
    const storagePath = `BackupX/file/260101/records/${recordId}/x.tar`;
    onStep = async (step) => {
      if (step !== 'running') return;
      await agent.request('POST', `/api/agent/records/${recordId}`, { fileName: 'x.tar', storagePath });
      await agent.request('POST', `/api/agent/records/${recordId}`, {
        status: 'running',
        fileSize: 7,
        storagePath: '',
      });
      await agent.request('POST', `/api/agent/records/${recordId}`, { status: 'success' });
    };
    await agent.pollOnce();
    const record = await master.record(recordId);
    expect(record).toMatchObject({ status: 'success', fileName: 'x.tar', fileSize: 7, checksum: '', storagePath });
    expect(record.storageTargetId).toBeGreaterThan(0);
  });

  it('lists a folder while the console waits, and its errors become ours', async () => {
    const asked = master.call<{ entries: object[] }>('GET', `/nodes/${node.id}/fs/list?path=${join(folder, 'data')}`);
    await master.until(async () => (await agent.pollOnce()) === 'list_dir');
    const { status, data } = await asked;
    expect(status).toBe(200);
    expect(data.entries).toMatchObject([
      { name: 'inner', isDir: true },
      { name: 'a.txt', isDir: false, size: 5 },
    ]);
    const missing = master.call('GET', `/nodes/${node.id}/fs/list?path=/nowhere-at-all`);
    await master.until(async () => (await agent.pollOnce()) === 'list_dir');
    expect(await missing).toMatchObject({ status: 404, data: { code: 'PATH_NOT_FOUND' } });
  });
});

describe('what the field gets wrong is repaired', () => {
  for (const step of ['running', 'packed', 'uploaded']) {
    it(`killed when ${step}: interrupted at its next poll, and the task runs again`, async () => {
      const taskId = await direct();
      const first = await run(taskId);
      killAt = step;
      await expect(agent.pollOnce()).rejects.toBeInstanceOf(AgentKilled);
      expect(await master.record(first)).toMatchObject({ status: 'running' });

      killAt = null;
      agent = newAgent();
      await agent.heartbeat();
      expect(await agent.pollOnce()).toBeNull();
      expect(await master.record(first)).toMatchObject({ status: 'interrupted', errorCode: 'AGENT_FAILED' });

      const second = await run(taskId);
      expect(await agent.pollOnce()).toBe('run_task');
      expect(await master.record(second)).toMatchObject({ status: 'success' });
    });
  }

  it('killed before it asked for the specification: the same command is delivered again', async () => {
    const recordId = await run(await direct());
    killAt = 'claimed';
    await expect(agent.pollOnce()).rejects.toBeInstanceOf(AgentKilled);
    killAt = null;
    expect(await newAgent().pollOnce()).toBe('run_task');
    expect(await master.record(recordId)).toMatchObject({ status: 'success' });
  });

  it('result lost: the record stays a success and the next command is handed out', async () => {
    const taskId = await direct();
    const recordId = await run(taskId);
    killAt = 'result';
    await expect(agent.pollOnce()).rejects.toBeInstanceOf(AgentKilled);
    killAt = null;
    expect(await agent.pollOnce()).toBeNull();
    expect(await master.record(recordId)).toMatchObject({ status: 'success' });
    const command = await master.db
      .selectFrom('commands')
      .select('state')
      .where('record_id', '=', recordId)
      .executeTakeFirstOrThrow();
    expect(command.state).toBe('succeeded');
    await run(taskId);
    expect(await agent.pollOnce()).toBe('run_task');
  });

  it('a second task waits for the busy node instead of timing out', async () => {
    const [one, two] = [await run(await direct()), await run(await direct())];
    onStep = async (step) => {
      if (step === 'running') await master.fleet.commands.scan();
    };
    expect(await agent.pollOnce()).toBe('run_task');
    expect(await master.record(two)).toMatchObject({ status: 'running' });
    expect(await agent.pollOnce()).toBe('run_task');
    expect(await master.record(one)).toMatchObject({ status: 'success' });
    expect(await master.record(two)).toMatchObject({ status: 'success' });
  });

  it('two machines on one token: nothing is interrupted, a warning is logged', async () => {
    const recordId = await run(await direct());
    const other = createLegacyAgent({ masterUrl: master.url, token: node.token, hostname: 'twin' });
    let stolen: string | null = 'not polled';
    onStep = async (step) => {
      if (step !== 'running') return;
      await other.heartbeat();
      stolen = await other.pollOnce();
    };
    expect(await agent.pollOnce()).toBe('run_task');
    expect(stolen).toBeNull();
    expect(await master.record(recordId)).toMatchObject({ status: 'success' });
    expect(master.warnings.join()).toContain('two agents use the token');
  });

  it('cancelled on the master: over at once, whatever the agent reports later', async () => {
    const recordId = await run(await direct());
    onStep = async (step) => {
      if (step === 'running') await master.call('POST', `/backup/records/${recordId}/cancel`, {});
    };
    await agent.pollOnce();
    expect(await master.record(recordId)).toMatchObject({ status: 'cancelled' });
  });
});

describe('who is refused', () => {
  it('an unknown or missing token', async () => {
    const stranger = newAgent({ token: 'bxa_1_nonsense' });
    const refused = { status: 401, json: { code: 'NODE_INVALID_TOKEN' } };
    expect(await stranger.request('POST', '/api/agent/heartbeat', {})).toMatchObject(refused);
    expect(await stranger.request('POST', '/api/agent/commands/poll')).toMatchObject(refused);
    const bare = await fetch(`${master.url}/api/agent/commands/poll`, { method: 'POST' });
    expect(bare.status).toBe(401);
    const silent = await fetch(`${master.url}/api/agent/heartbeat`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{}',
    });
    expect(silent.status).toBe(400);
    expect(await silent.json()).toMatchObject({ code: 'INVALID_INPUT' });
  });

  it('a token in the body wins over the header', async () => {
    const wrong = newAgent({ token: 'bxa_1_nonsense' });
    const answer = await wrong.request('POST', '/api/agent/heartbeat', { token: node.token });
    expect(answer).toMatchObject({ status: 200, json: { data: { nodeId: node.id } } });
  });

  it("another node's command, task, record and upload", async () => {
    const taskId = await relayed();
    const recordId = await run(taskId);
    const other = newAgent({ token: (await master.addNode('web-2')).token, hostname: 'other' });
    await other.heartbeat();
    const answers: Record<string, unknown>[] = [];
    onStep = async (step) => {
      if (step !== 'running') return;
      const { id } = await master.db
        .selectFrom('commands')
        .select('id')
        .where('record_id', '=', recordId)
        .executeTakeFirstOrThrow();
      answers.push(
        await other.request('POST', `/api/agent/commands/${id}/result`, { success: true }),
        await other.request('GET', `/api/agent/tasks/${taskId}`),
        await other.request('POST', `/api/agent/records/${recordId}`, { status: 'failed' }),
        await other.request('PUT', `/api/agent/records/${recordId}/artifacts/1`, 'x'),
        await other.request('POST', '/api/agent/commands/999999/result', { success: true }),
        await other.request('POST', '/api/agent/records/999999', {}),
        await other.request('GET', '/api/agent/tasks/999999'),
      );
    };
    await agent.pollOnce();
    expect(answers).toMatchObject([
      { status: 403, json: { code: 'AGENT_COMMAND_FORBIDDEN' } },
      { status: 403, json: { code: 'BACKUP_TASK_FORBIDDEN' } },
      { status: 403, json: { code: 'BACKUP_RECORD_FORBIDDEN' } },
      { status: 403, json: { code: 'BACKUP_RECORD_FORBIDDEN' } },
      { status: 404, json: { code: 'AGENT_COMMAND_NOT_FOUND' } },
      { status: 404, json: { code: 'BACKUP_RECORD_NOT_FOUND' } },
      { status: 404, json: { code: 'BACKUP_TASK_NOT_FOUND' } },
    ]);
    expect(await master.record(recordId)).toMatchObject({ status: 'success' });
  });

  it('its own task before the claim and after the end', async () => {
    const taskId = await direct();
    await run(taskId);
    const forbidden = { status: 403, json: { code: 'BACKUP_TASK_FORBIDDEN' } };
    expect(await agent.request('GET', `/api/agent/tasks/${taskId}`)).toMatchObject(forbidden);
    await agent.pollOnce();
    expect(await agent.request('GET', `/api/agent/tasks/${taskId}`)).toMatchObject(forbidden);
  });

  it('keys of other records and keys that leave the storage', async () => {
    const recordId = await run(await direct());
    const codes: string[] = [];
    onStep = async (step) => {
      if (step !== 'running') return;
      for (const storagePath of [
        `BackupX/file/260101/records/${recordId + 1}/x.tar`,
        `BackupX/file/260101/records/${recordId}/../1/x.tar`,
        '/etc/passwd',
        'x.tar',
      ]) {
        const body = { status: 'success', storagePath };
        const { json } = await agent.request('POST', `/api/agent/records/${recordId}`, body);
        codes.push(json.code);
      }
    };
    await agent.pollOnce();
    expect(codes).toEqual([
      'BACKUP_RECORD_FORBIDDEN',
      'STORAGE_INVALID_KEY',
      'STORAGE_INVALID_KEY',
      'BACKUP_RECORD_FORBIDDEN',
    ]);
    expect(await master.record(recordId)).toMatchObject({ status: 'success' });
  });

  it('an upload whose checksum or length is not the announced one leaves nothing', async () => {
    const recordId = await run(await relayed());
    const answers: unknown[] = [];
    onStep = async (step) => {
      if (step !== 'running') return;
      const { id } = await master.db.selectFrom('storage_targets').select('id').executeTakeFirstOrThrow();
      const key = `BackupX/file/260101/records/${recordId}/x.tar`;
      const put = (headers: Record<string, string>) =>
        fetch(`${master.url}/api/agent/records/${recordId}/artifacts/${id}`, {
          method: 'PUT',
          headers: { 'x-agent-token': node.token, 'x-backupx-object-key': key, ...headers },
          body: 'some bytes',
        });
      const damaged = await put({ 'x-backupx-sha256': '0'.repeat(64) });
      answers.push(damaged.status, ((await damaged.json()) as { code: string }).code);
      answers.push(master.storage.objects.size);
      const good = await put({});
      answers.push(((await good.json()) as { data: { fileSize: number } }).data.fileSize);
      answers.push(master.storage.objects.has(key));
    };
    await agent.pollOnce();
    expect(answers).toEqual([422, 'ARTIFACT_DAMAGED', 0, 10, true]);
  });
});
