import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { EngineOptions } from '@backupx/engine/ports/engine';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { openJournal } from './journal.ts';
import { createLogger } from './logger.ts';
import { type AgentOptions, type RunningAgent, runAgent } from './main.ts';
import { backupResult, createFakeEngine, type FakeEngine, type FakeRun, hangingBackup } from './testing/fake-engine.ts';
import { type FakeMaster, startFakeMaster } from './testing/fake-master.ts';

let master: FakeMaster;
let dir: string;
let agents: RunningAgent[];
let log: string[];
const token = 'secret-token-0123456789';

beforeEach(async () => {
  master = await startFakeMaster();
  dir = mkdtempSync(join(tmpdir(), 'backupx-agent-'));
  agents = [];
  log = [];
});
afterEach(async () => {
  master.intercept = () => undefined;
  await Promise.all(agents.map((agent) => agent.stop()));
  await master.close();
  rmSync(dir, { recursive: true, force: true });
});

async function start(engine: FakeEngine, more: Partial<AgentOptions> & { flags?: object } = {}): Promise<RunningAgent> {
  const agent = await runAgent({
    environment: { BACKUPX_AGENT_TOKEN: token, BACKUPX_AGENT_POLL: '200ms', BACKUPX_AGENT_HEARTBEAT: '1s' },
    createEngine: () => engine,
    logger: createLogger(token, { write: (line) => void log.push(line) }),
    drainMs: 1500,
    ...more,
    flags: { master: master.url, stateDir: join(dir, 'state'), ...more.flags },
  });
  agents.push(agent);
  return agent;
}

/** Patient: a busy machine is no failure. */
const until = (check: () => void) => vi.waitFor(check, { timeout: 30_000, interval: 20 });
const closing = (id = 31) =>
  master.to(`/api/agent/records/${id}`).filter((request) => ['success', 'failed'].includes(request.body.status));
const results = (id: number) => master.to(`/api/agent/commands/${id}/result`);
const backup = (run: FakeRun, more: Parameters<typeof createFakeEngine>[0] = {}) =>
  createFakeEngine({ run_backup: run, ...more });
const listing: FakeRun = async () => ({ entries: [{ name: 'srv', path: '/srv', isDir: true, size: 0 }] });

function giveBackup(commandId = 5, recordId = 31, spec: object = {}): void {
  master.specs.set('/api/agent/tasks/3', {
    taskId: 3,
    name: 'Web Files',
    type: 'file',
    sourcePath: '',
    sourcePaths: '/srv/a\n/srv/b',
    excludePatterns: '*.tmp',
    compression: 'zstd',
    encrypt: false,
    storageTargets: [{ id: 4, type: 's3', name: 'S3', config: { bucket: 'b' }, transferMode: 'direct' }],
    ...spec,
  });
  master.commands.push({ id: commandId, type: 'run_task', payload: { taskId: 3, recordId } });
}

test('hands its settings to the engine', async () => {
  const given: EngineOptions[] = [];
  const engine = createFakeEngine({});
  const createEngine = (options: EngineOptions) => {
    given.push(options);
    return engine;
  };
  await start(engine, { createEngine, flags: { threads: '3', nice: '5', storagePatience: '1h' } });
  await start(engine, { createEngine, flags: { stateDir: join(dir, 'other') } });
  expect(given).toMatchObject([
    { compressionParallelism: 3, nice: 5, storagePatienceMs: 3_600_000 },
    { nice: 0, storagePatienceMs: 900_000 },
  ]);
  expect(given[1]).not.toHaveProperty('compressionParallelism');
});

describe('heartbeat', () => {
  test('says who it is, keeps its instance id over restarts, and keeps the state folder private', async () => {
    const first = await start(createFakeEngine({}));
    await until(() => expect(first.session.isAccepted).toBe(true));
    const [beat] = master.to('/api/agent/heartbeat');
    expect(beat?.headers['x-agent-token']).toBe(token);
    expect(beat?.headers['x-agent-protocol']).toBe('2');
    expect(beat?.body).toMatchObject({ activeCommandIds: [], capabilities: { sources: ['file'] } });
    await first.stop();
    expect(master.to('/api/agent/heartbeat').at(-1)?.body.stopping).toBe(true);
    const second = await start(createFakeEngine({}));
    await until(() => expect(second.session.isAccepted).toBe(true));
    const later = master.to('/api/agent/heartbeat').at(-1)?.body;
    expect(later.instanceId).toBe(beat?.body.instanceId);
    expect(later.bootId).not.toBe(beat?.body.bootId);
    expect(statSync(join(dir, 'state')).mode & 0o777).toBe(0o700);
    expect(log.join('')).not.toContain(token);
  });

  test('starts while the master is down and joins when it comes, without a log line per attempt', async () => {
    const port = Number(new URL(master.url).port);
    await master.close();
    const agent = await start(createFakeEngine({}));
    await new Promise((resolve) => setTimeout(resolve, 2500));
    expect(agent.session.isAccepted).toBe(false);
    expect(log.filter((line) => line.includes('cannot be reached'))).toHaveLength(1);
    master = await startFakeMaster(port);
    await until(() => expect(agent.session.isAccepted).toBe(true));
    expect(log.join('')).toContain('the master answers again');
  });

  test('names the location of a redirect and does not follow it', async () => {
    master.intercept = ({ path }) =>
      path === '/api/agent/heartbeat' ? { status: 308, location: 'https://other/api' } : undefined;
    await start(createFakeEngine({}));
    await until(() => expect(log.join('')).toContain('redirects to https://other/api'));
    expect(master.requests.every((request) => request.path === '/api/agent/heartbeat')).toBe(true);
  });

  test('says that a web page is no master', async () => {
    master.intercept = () => ({ html: '<html>login</html>' });
    await start(createFakeEngine({}));
    await until(() => expect(log.join('')).toContain('did not answer like a BackupX master'));
    expect(log.join('')).toContain('proxy may be in the way');
  });

  test('an unknown token is tried again slowly', async () => {
    master.intercept = () => ({ status: 401, code: 'NODE_INVALID_TOKEN' });
    await start(createFakeEngine({}));
    await new Promise((resolve) => setTimeout(resolve, 2000));
    expect(master.requests).toHaveLength(1);
    expect(log.join('')).toContain('Trying again');
  });
});

describe('backup', () => {
  test('runs the specification and reports record, then command', async () => {
    const engine = backup(async (_job, { reporter }) => {
      reporter.log('info', 'packing\nwith a forged line');
      return { ...backupResult, status: 'warning', problemCount: 1 };
    });
    await start(engine);
    giveBackup(5, 31, { keyPrefix: 'p/31', baseName: 'web', encrypt: true, encryptionRecipients: ['age1x'] });
    await until(() => expect(results(5)).toHaveLength(1));
    expect(engine.jobs[0]).toMatchObject({
      source: { type: 'file', config: { excludePatterns: ['*.tmp'] } },
      encryption: { recipients: ['age1x'] },
      keyPrefix: 'p/31',
      baseName: 'web',
      targets: [{ id: 4, viaMaster: false }],
    });
    const [end] = closing();
    expect(end?.body).toMatchObject({
      status: 'success',
      outcome: 'warning',
      checksum: backupResult.checksum,
      storageTargetId: 4,
    });
    expect(end?.atMs).toBeLessThan(results(5)[0]?.atMs ?? 0);
    expect(results(5)[0]?.body).toMatchObject({ success: true, result: { recordId: 31 } });
    const lines = master.to('/api/agent/records/31').flatMap((request) => request.body.logAppend ?? []);
    expect(lines.join('')).toMatch(/INFO packing with a forged line\n$/);
    await until(() => expect(readdirSync(join(dir, 'state', 'journal'))).toEqual([]));
  });

  test('works with a master that knows only the old routes', async () => {
    master.protocol = 1;
    const engine = backup(async () => backupResult);
    await start(engine);
    giveBackup();
    await until(() => expect(results(5)).toHaveLength(1));
    expect(engine.jobs[0]).toMatchObject({
      encryption: null,
      keyPrefix: expect.stringMatching(/^BackupX\/file\/\d{6}\/records\/31$/),
      baseName: expect.stringMatching(/^web-files_\d{8}_\d{6}$/),
    });
    expect(master.to('/api/agent/commands/poll').every((request) => request.body === undefined)).toBe(true);
    expect(master.to('/api/agent/records/31').every((request) => request.body.progress === undefined)).toBe(true);
  });

  test('refuses encryption for an old master, clearly', async () => {
    master.protocol = 1;
    await start(backup(async () => backupResult));
    giveBackup(5, 31, { encrypt: true });
    await until(() => expect(results(5)).toHaveLength(1));
    expect(closing()[0]?.body).toMatchObject({ status: 'failed', errorCode: 'NOT_SUPPORTED' });
    expect(closing()[0]?.body.errorMessage).toContain('encrypted');
  });

  test('answers a question while backups hang, and queues the second backup', async () => {
    const hanging = hangingBackup();
    const engine = backup(hanging.run, { list_directory: listing });
    await start(engine);
    giveBackup(5, 31);
    giveBackup(6, 32);
    await until(() => expect(master.commands).toHaveLength(0));
    master.commands.push({ id: 9, type: 'list_dir', payload: { path: '/' } });
    await until(() => expect(results(9)).toHaveLength(1));
    expect(results(9)[0]?.body).toMatchObject({ success: true, result: { entries: [{ name: 'srv' }] } });
    expect(engine.jobs.filter((job) => job.kind === 'run_backup')).toHaveLength(1);
    await until(() => expect(master.to('/api/agent/heartbeat').at(-1)?.body.activeCommandIds).toEqual([5, 6]));
    hanging.finish();
    await until(() => expect(results(6)).toHaveLength(1));
    expect(engine.jobs.filter((job) => job.kind === 'run_backup')).toHaveLength(2);
  });

  test.each(['answer of an update', 'heartbeat'])('is cancelled by the %s', async (way) => {
    await start(backup(hangingBackup().run));
    giveBackup();
    if (way === 'heartbeat') master.cancelCommandIds = [5];
    else
      master.intercept = ({ path }) =>
        path === '/api/agent/records/31' ? { data: { status: 'ok', cancel: true } } : undefined;
    await until(() => expect(results(5)).toHaveLength(1));
    expect(closing()[0]?.body).toMatchObject({ status: 'failed', outcome: 'cancelled', errorCode: 'CANCELLED' });
  });

  test('a queued backup can be cancelled while another runs', async () => {
    const engine = backup(hangingBackup().run);
    await start(engine);
    giveBackup(5, 31);
    giveBackup(6, 32);
    await until(() => expect(master.to('/api/agent/heartbeat').at(-1)?.body.activeCommandIds).toEqual([5, 6]));
    master.cancelCommandIds = [6];
    await until(() => expect(results(6)).toHaveLength(1));
    expect(closing(32)[0]?.body).toMatchObject({ outcome: 'cancelled' });
    expect(results(5)).toHaveLength(0);
    expect(engine.jobs).toHaveLength(1);
  });

  test('is not slowed by a master that takes requests and answers none', async () => {
    const engine = backup(async (_job, { reporter }) => {
      for (let index = 0; index < 20_000; index++) reporter.log('info', `line ${index}`);
      return backupResult;
    });
    await start(engine);
    master.intercept = ({ path }) => (path === '/api/agent/records/31' ? { hang: true } : undefined);
    giveBackup();
    await until(() => expect(log.join('')).toContain('run_task ended: success'));
  });
});

describe('results', () => {
  test('are sent again until acknowledged', async () => {
    let refusals = 2;
    master.intercept = ({ path }) =>
      path === '/api/agent/commands/5/result' && refusals-- > 0 ? { status: 503, code: 'SHUTTING_DOWN' } : undefined;
    await start(backup(async () => backupResult));
    giveBackup();
    await until(() => expect(results(5)).toHaveLength(3));
    await until(() => expect(readdirSync(join(dir, 'state', 'journal'))).toEqual([]));
    expect(closing()).toHaveLength(1);
  });

  test('survive the end of the process', async () => {
    master.intercept = ({ body }) => (body?.status === 'success' ? { status: 503, code: 'SHUTTING_DOWN' } : undefined);
    const first = await start(backup(async () => backupResult));
    giveBackup();
    await until(() => expect(closing().length).toBeGreaterThan(0));
    await first.stop();
    expect(results(5)).toHaveLength(0);
    master.intercept = () => undefined;
    await start(backup(async () => backupResult));
    await until(() => expect(results(5)).toHaveLength(1));
    expect(closing().at(-1)?.body).toMatchObject({ status: 'success', fileSize: 1234 });
  });

  test('a success the master does not accept becomes a failed command, not a record that runs for ever', async () => {
    master.intercept = ({ body }) => (body?.status === 'success' ? { status: 400, code: 'INVALID_INPUT' } : undefined);
    await start(backup(async () => backupResult));
    giveBackup();
    await until(() => expect(results(5)).toHaveLength(1));
    expect(closing()).toHaveLength(2);
    expect(closing()[1]?.body.targets).toBeUndefined();
    expect(results(5)[0]?.body.success).toBe(false);
  });

  test('are dropped when the master clearly refuses them', async () => {
    master.intercept = ({ path }) =>
      path.endsWith('/result') ? { status: 404, code: 'AGENT_COMMAND_NOT_FOUND' } : undefined;
    await start(backup(async () => backupResult));
    giveBackup();
    await until(() => expect(readdirSync(join(dir, 'state', 'journal'))).toEqual([]));
    await until(() => expect(log.join('')).toContain('refused the result'));
  });
});

describe('the end of the process', () => {
  test('a kill leaves a journal entry that the next start reports as interrupted', async () => {
    const state = join(dir, 'state');
    const agent = await start(createFakeEngine({}));
    await agent.stop();
    const entry = {
      type: 'run_task',
      payload: { taskId: 3, recordId: 31 },
      owner: { kind: 'record', id: 31 },
      restarts: 0,
    } as const;
    openJournal(join(state, 'journal')).write({ ...entry, commandId: 5, state: 'running' });
    writeFileSync(join(state, 'spool', 'record-31.log'), 'line the master never saw\n');
    writeFileSync(join(state, 'journal', '6.json'), '{"torn');
    await start(createFakeEngine({}));
    await until(() => expect(results(5)).toHaveLength(1));
    expect(closing()[0]?.body).toMatchObject({ status: 'failed', outcome: 'interrupted' });
    expect(results(5)[0]?.body.success).toBe(false);
    const logged = master.to('/api/agent/records/31').find((request) => request.body.logAppend);
    expect(logged?.body).toMatchObject({ logAppend: 'line the master never saw\n', logSequence: 10_000_001 });
    expect(existsSync(join(state, 'journal', '6.json.damaged'))).toBe(true);
  });

  test('stop reports what it could not finish, even when the engine does not react', async () => {
    const agent = await start(
      backup(() => new Promise(() => {})),
      { drainMs: 5000 },
    );
    giveBackup();
    await until(() => expect(master.to('/api/agent/records/31')).not.toHaveLength(0));
    // The engine ignores the abort: only the grace time ends the wait.
    await agent.stop();
    expect(closing()[0]?.body).toMatchObject({ status: 'failed', outcome: 'interrupted' });
    expect(results(5)).toHaveLength(1);
    expect(master.requests.at(-1)?.body.stopping).toBe(true);
  });

  test('stop lets a running backup finish when it can', async () => {
    const hanging = hangingBackup();
    const agent = await start(backup(hanging.run), { drainMs: 5000 });
    giveBackup();
    await until(() => expect(master.to('/api/agent/records/31')).not.toHaveLength(0));
    const stopped = agent.stop();
    setTimeout(hanging.finish, 300);
    await stopped;
    expect(closing()[0]?.body).toMatchObject({ status: 'success' });
  });

  test('a second agent on the same state folder is refused', async () => {
    await start(createFakeEngine({}));
    await expect(start(createFakeEngine({}))).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });
});

describe('other commands', () => {
  test('a restore is run and reported', async () => {
    master.specs.set('/api/agent/restores/8/spec', {
      restoreRecordId: 8,
      backupRecordId: 31,
      taskId: 3,
      taskName: 'web',
      type: 'file',
      sourcePath: '/srv',
      compression: 'gzip',
      encrypt: false,
      storage: { id: 4, type: 's3', name: 'S3', config: {}, transferMode: 'master_relay' },
      storagePath: 'a/b.tar.gz',
      fileName: 'b.tar.gz',
      checksum: '',
    });
    const done = {
      status: 'success',
      itemsWritten: 3,
      bytesWritten: 9,
      itemsSkipped: 0,
      problems: [],
      problemCount: 0,
    };
    const engine = createFakeEngine({ run_restore: async () => done });
    await start(engine);
    master.commands.push({ id: 11, type: 'restore_record', payload: { restoreRecordId: 8 } });
    await until(() => expect(results(11)).toHaveLength(1));
    expect(engine.jobs[0]).toMatchObject({
      overwrite: 'always',
      targetPath: null,
      artifact: { target: { viaMaster: true }, checksum: null },
    });
    const update = master.to('/api/agent/restores/8').find((request) => request.body.status === 'success');
    expect(update?.body).toMatchObject({ itemsWritten: 3, outcome: 'success' });
  });

  test('what this version cannot do is answered, not ignored', async () => {
    const inspect = async () => ({ databases: [{ name: 'shop', sizeBytes: 3 }] });
    const engine = createFakeEngine({ delete_objects: async () => ({ deleted: 1 }), inspect_source: inspect });
    await start(engine);
    const payload = { type: 'mysql', host: 'db-1', port: 3306, user: 'root', password: 'pw' };
    master.commands.push({ id: 12, type: 'discover_db', payload });
    master.commands.push({ id: 13, type: 'fly', payload: {} });
    master.commands.push({
      id: 14,
      type: 'delete_storage_object',
      payload: { targetType: 's3', targetConfig: {}, storagePath: 'k' },
    });
    master.commands.push({ id: 15, type: 'run_task', payload: { taskId: 'x' } });
    await until(() => expect(results(15)).toHaveLength(1));
    expect(results(12)[0]?.body).toMatchObject({ success: true, result: { databases: ['shop'] } });
    const config = { dbHost: 'db-1', dbPort: 3306, dbUser: 'root', dbPassword: 'pw' };
    expect(engine.jobs).toContainEqual({ kind: 'inspect_source', source: { type: 'mysql', config } });
    expect(results(13)[0]?.body).toMatchObject({ success: false, errorCode: 'NOT_SUPPORTED' });
    expect(results(14)[0]?.body).toMatchObject({ success: true, result: { deleted: true } });
    expect(results(15)[0]?.body).toMatchObject({ success: false });
  });
});
