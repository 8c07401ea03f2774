import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createTestRuns, type TestRuns, taskBody } from '../../connect-test-runs.ts';

let test: TestRuns;
let targetId: number;
beforeEach(async () => {
  test = await createTestRuns();
  targetId = await test.addTarget('disk');
});
afterEach(() => test.close());

interface Answer {
  id: number;
  code: string;
  fields?: { path: string; message: string }[];
  [key: string]: unknown;
}
const post = async (body: object) => {
  const { status, data } = await test.call('POST', '/backup/tasks', body);
  return { status, data: data as Answer };
};

describe('tasks', () => {
  it('come back as they were sent, arrays and old strings alike', async () => {
    const { data } = await post({
      name: '  web  ',
      type: 'file',
      sourcePaths: '/srv/www\n/etc/nginx\n',
      excludePatterns: 'cache/\n*.tmp',
      storageTargetIds: `${targetId}`,
      cronExpr: '0 3 * * *',
      timezone: 'Europe/Berlin',
      tags: 'web, prod',
      extraConfig: '{"oneFileSystem":true}',
      compression: 'gzip',
    });
    expect(data).toMatchObject({
      name: 'web',
      sourcePath: '/srv/www',
      sourcePaths: ['/srv/www', '/etc/nginx'],
      excludePatterns: ['cache/', '*.tmp'],
      extraConfig: { oneFileSystem: true },
      storageTargetId: targetId,
      storageTargetNames: ['disk'],
      nodeId: test.localNodeId,
      nodeName: 'local',
      tags: ['web', 'prod'],
      lastRun: null,
    });
    expect(data.nextRunAt).toMatch(/T0[12]:00:00\.000Z$/);
    expect((await test.call('GET', '/backup/tasks/tags')).data).toEqual(['prod', 'web']);
    const sealed = await test.db.selectFrom('tasks').select('source_sealed').executeTakeFirstOrThrow();
    expect(sealed.source_sealed).not.toContain('srv');
  });

  it.each<[name: string, change: object, status: number, code: string, field: string | null]>([
    ['no target', { storageTargetIds: [] }, 400, 'INVALID_INPUT', 'storageTargetIds'],
    ['an unknown target', { storageTargetIds: [4711] }, 404, 'STORAGE_TARGET_NOT_FOUND', null],
    ['an unknown node', { nodeId: 4711 }, 404, 'NODE_NOT_FOUND', null],
    ['an unknown type', { type: 'floppy' }, 400, 'SOURCE_TYPE_UNKNOWN', null],
    ['no path', { sourcePath: '' }, 400, 'INVALID_INPUT', 'sourcePaths'],
    ['cron nonsense', { cronExpr: '61 * * * *' }, 400, 'INVALID_INPUT', 'cronExpr'],
    ['an unknown zone', { cronExpr: '@daily', timezone: 'Mars/X' }, 400, 'INVALID_INPUT', 'timezone'],
    ['a name that is too long', { name: 'x'.repeat(101) }, 400, 'INVALID_INPUT', 'name'],
  ])('are refused with %s', async (_name, change, status, code, field) => {
    const answer = await post(taskBody(targetId, change));
    expect([answer.status, answer.data.code]).toEqual([status, code]);
    if (field) expect(answer.data.fields?.map((problem) => problem.path)).toContain(field);
    expect(await test.db.selectFrom('tasks').select('id').execute()).toEqual([]);
  });

  it('have unique names among the living', async () => {
    const { data } = await post(taskBody(targetId));
    expect((await post(taskBody(targetId))).data.code).toBe('BACKUP_TASK_NAME_TAKEN');
    expect((await test.call('DELETE', `/backup/tasks/${data.id}`)).status).toBe(200);
    expect((await test.call('GET', `/backup/tasks/${data.id}`)).status).toBe(404);
    expect((await post(taskBody(targetId))).status).toBe(200);
  });

  it('keep their name on records after they are deleted', async () => {
    const { data } = await post(taskBody(targetId));
    const record = (await test.call('POST', `/backup/tasks/${data.id}/run`)).data as Answer;
    await test.ended(record.id);
    await test.call('DELETE', `/backup/tasks/${data.id}`);
    expect((await test.call('GET', '/backup/records')).data).toMatchObject({ items: [{ taskName: 'documents' }] });
    expect((await test.call('POST', `/backup/records/${record.id}/restore`, { targetPath: '/x' })).status).toBe(200);
  });

  it('are found by part of the name, with wildcards taken literally', async () => {
    for (const name of ['Alpha 100%', 'alpha 1000', 'beta']) await post(taskBody(targetId, { name }));
    const names = async (query: string) =>
      ((await test.call('GET', `/backup/tasks?${query}`)).data as { items: Answer[] }).items.map((task) => task.name);
    expect(await names('q=ALPHA')).toEqual(['Alpha 100%', 'alpha 1000']);
    expect(await names('q=100%25')).toEqual(['Alpha 100%']);
    expect(await names('sort=-name&pageSize=1&page=2')).toEqual(['alpha 1000']);
    expect(await names('enabled=false')).toEqual([]);
  });

  it('change: targets, schedule and paths', async () => {
    const { data } = await post(taskBody(targetId, { cronExpr: '@daily' }));
    const second = await test.addTarget('second');
    const body = taskBody(second, { storageTargetIds: [second, targetId], cronExpr: '', sourcePaths: ['/a', '/b'] });
    const { data: changed } = await test.call('PUT', `/backup/tasks/${data.id}`, body);
    expect(changed).toMatchObject({ storageTargetIds: [second, targetId], nextRunAt: null, sourcePaths: ['/a', '/b'] });
  });

  it('preview their schedule', async () => {
    const ask = (body: object) => test.call('POST', '/backup/tasks/preview-schedule', body);
    const { data } = await ask({ cronExpr: '30 2 * * *', timezone: 'Asia/Kathmandu', count: 3 });
    const { timezone, runs } = data as { timezone: string; runs: string[] };
    expect(timezone).toBe('Asia/Kathmandu');
    expect(runs.map((run) => run.slice(10))).toEqual(Array(3).fill('T20:45:00.000Z'));
    expect((await ask({ cronExpr: 'often' })).data).toMatchObject({ code: 'INVALID_INPUT' });
  });
});
