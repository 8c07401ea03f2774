import { MASKED_SECRET } from '@backupx/contracts/driver-manifest';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createTestRuns, type TestRuns } from '../../connect-test-runs.ts';

const found = {
  server: 'Shop 7',
  tool: '',
  databases: [{ name: 'shop', sizeBytes: 10 }],
  warnings: [],
  readOnlyUserSql: null,
};
const stored = { dbHost: 'db-1', dbPort: 5433, dbUser: 'reader', dbPassword: 'top secret', databases: ['shop', 'b'] };
const masked = { ...stored, dbPassword: MASKED_SECRET };

interface Answer {
  id: number;
  fields?: { path: string }[];
  [key: string]: unknown;
}

let test: TestRuns;
let targetId: number;
beforeEach(async () => {
  test = await createTestRuns();
  targetId = await test.addTarget('disk');
  test.engine.answers.set('inspect_source', found);
});
afterEach(() => test.close());

async function call(method: 'GET' | 'POST' | 'PUT', path: string, body?: object) {
  const { status, data } = await test.call(method, path, body);
  return { status, data: data as Answer };
}
const taskBody = (change: object = {}) => ({
  name: 'shop',
  type: 'shopdb',
  storageTargetIds: [targetId],
  extraConfig: stored,
  ...change,
});
const addTask = async (change: object = {}) => (await call('POST', '/backup/tasks', taskBody(change))).data;
const inspect = (body: object) => call('POST', '/sources/inspect', { type: 'shopdb', ...body });
const inspected = () =>
  test.engine.jobs.flatMap((job) => (job.kind === 'inspect_source' ? [job.source.config] : [])).at(-1);

/** A record of the task, and a restore of it. */
async function restore(taskId: number, body: object) {
  const record = (await call('POST', `/backup/tasks/${taskId}/run`)).data;
  await test.ended(record.id);
  return await call('POST', `/backup/records/${record.id}/restore`, body);
}
const restoreJob = async () => {
  await expect.poll(() => test.engine.jobs.some((job) => job.kind === 'run_restore')).toBe(true);
  const job = test.engine.jobs.findLast((one) => one.kind === 'run_restore');
  return job?.kind === 'run_restore' ? job : undefined;
};

describe('a source is inspected', () => {
  it('with typed settings, and leaves no trace', async () => {
    const answer = await inspect({ config: { dbHost: 'db-9', dbPassword: 'pw' } });
    expect(answer).toEqual({ status: 200, data: found });
    expect(inspected()).toMatchObject({ dbHost: 'db-9', dbPassword: 'pw', dbPort: 5432 });
    expect(await test.db.selectFrom('tasks').select('id').execute()).toEqual([]);
  });

  it('with the stored password where it belongs', async () => {
    const { id } = await addTask();
    expect((await inspect({ taskId: id, config: masked })).status).toBe(200);
    expect(inspected()).toEqual(stored);
  });

  it.each<[string, object]>([
    ['host', { dbHost: 'evil.example' }],
    ['port', { dbPort: 1 }],
    ['user', { dbUser: 'somebody' }],
    ['host left to its default', { dbHost: undefined }],
  ])('and never sends it to another %s', async (_what, change) => {
    const { id } = await addTask();
    const answer = await inspect({ taskId: id, config: { ...masked, ...change } });
    expect(answer.status).toBe(400);
    expect(answer.data.fields?.map((field) => field.path)).toEqual(['config.dbPassword']);
    expect(inspected()).toBeUndefined();
  });

  it('of known types only, and not without end', async () => {
    expect((await inspect({ type: 'floppy', config: {} })).data.code).toBe('SOURCE_TYPE_UNKNOWN');
    expect((await inspect({ type: 'file', config: {} })).data.code).toBe('NOT_SUPPORTED');
    expect((await inspect({ config: { dbPort: 'x' } })).data.fields?.[0]?.path).toBe('config.dbPort');
    for (let count = 0; count < 27; count += 1) await inspect({ config: {} });
    expect((await inspect({ config: {} })).data.code).toBe('RATE_LIMITED');
  });

  it('in the words of the field', async () => {
    const body = { type: 'shopdb', host: 'db-2', port: '5555', user: 'u', password: 'p' };
    expect((await call('POST', '/database/discover', body)).data).toEqual({ databases: ['shop'] });
    expect(inspected()).toMatchObject({ dbHost: 'db-2', dbPort: 5555, dbUser: 'u', dbPassword: 'p' });
  });
});

describe('a task of a database', () => {
  it('has the flat names of the field, and its password masked', async () => {
    const extraConfig = {};
    const flat = { dbHost: 'db-1', dbPort: '5433', dbUser: 'reader', dbPassword: 'top secret', dbName: 'shop; b' };
    const task = await addTask({ extraConfig, ...flat });
    expect(task).toMatchObject({
      dbHost: 'db-1',
      dbPort: 5433,
      dbUser: 'reader',
      dbPassword: MASKED_SECRET,
      dbName: 'shop,b',
      dbPath: '',
    });
    expect(task.extraConfig).toEqual(masked);
    await inspect({ taskId: task.id, config: masked });
    expect(inspected()).toEqual(stored);
  });

  it('keeps what is sent back as it was, and takes what was changed on either side', async () => {
    const task = await addTask();
    const path = `/backup/tasks/${task.id}`;
    const put = async (change: object) =>
      (await call('PUT', path, { ...(await call('GET', path)).data, ...change })).data;
    expect(await put({ dbName: 'shop,b,new' })).toMatchObject({ dbName: 'shop,b,new' });
    expect(await put({ extraConfig: { ...masked, databases: ['x'] } })).toMatchObject({ dbName: 'x' });
    await put({});
    await inspect({ taskId: task.id, config: masked });
    expect(inspected()?.dbPassword).toBe('top secret');
  });

  it('does not keep its password for another server', async () => {
    const task = await addTask();
    const change = { extraConfig: { ...masked, dbHost: 'evil.example' } };
    const answer = await call('PUT', `/backup/tasks/${task.id}`, taskBody(change));
    expect([answer.status, answer.data.fields?.[0]?.path]).toEqual([400, 'extraConfig.dbPassword']);
  });
});

describe('a restore of a database', () => {
  it('takes options: checked, masked in answers, opened for the job, forgotten at the end', async () => {
    const { id } = await addTask();
    const options = { dbHost: 'db-2', dbPassword: 'other secret', rename: ['shop=copy'], dbUser: '' };
    const { data } = await restore(id, { overwrite: 'always', options });
    const { dbUser: _none, ...shown } = { ...options, dbPassword: MASKED_SECRET };
    expect(data.options).toEqual(shown);
    const job = await restoreJob();
    expect(job).toMatchObject({ targetPath: null, options: { ...shown, dbPassword: 'other secret' } });
    // Another server: what was stored for the first one stays here.
    expect(job?.source.config).not.toHaveProperty('dbPassword');
    const row = () => test.db.selectFrom('restore_records').selectAll().executeTakeFirstOrThrow();
    await expect.poll(async () => (await row()).status).toBe('success');
    expect(await row()).toMatchObject({ options: JSON.stringify(shown), options_sealed: '' });
  });

  it('has the stored password for the stored server', async () => {
    const { id } = await addTask();
    await restore(id, { options: { rename: ['shop=copy'], dbPort: 5432 } });
    expect((await restoreJob())?.source.config).toEqual(stored);
  });

  it.each<[object, string]>([
    [{ rename: ['no sign'] }, 'options.rename.0'],
    [{ speed: 3 }, 'options.speed'],
  ])('refuses %j', async (options, path) => {
    const { id } = await addTask();
    expect((await restore(id, { options })).data.fields?.[0]?.path).toBe(path);
  });

  it('with options is not given to an agent that would not heed them', async () => {
    const { id } = await addTask();
    const on = (nodeId: number) => restore(id, { nodeId, options: { rename: ['shop=copy'] } });
    expect((await on(test.remoteNodeId)).data.code).toBe('NOT_SUPPORTED');
    test.fleet.remote = { ...test.fleet.remote, sourceTypes: ['shopdb'], jobKinds: ['run_restore'] };
    expect((await on(test.remoteNodeId)).data.code).toBe('NOT_SUPPORTED');
    test.fleet.remote = { ...test.fleet.remote, jobKinds: ['inspect_source'] };
    expect((await on(test.remoteNodeId)).status).toBe(200);
    expect(test.fleet.commands.map((command) => command.type)).toEqual(['restore_record']);
  });
});
