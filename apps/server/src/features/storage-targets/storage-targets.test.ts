import { MASKED_SECRET } from '@backupx/contracts/driver-manifest';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createTestApp, createTestEngine, type TestApp, testIdentity } from '../../connect-test-app.ts';

const password = 'pa55word-of-the-vault';
const input = { name: 'v1', type: 'vault', config: { address: 'vault.example', password } };

describe('storage target routes', () => {
  let app: TestApp;
  let headers: Record<string, string>;
  let isFailing = false;
  const engine = createTestEngine({ failTest: () => isFailing });

  beforeEach(async () => {
    isFailing = false;
    engine.tested.length = 0;
    app = await createTestApp({ engine });
    headers = { authorization: `Bearer ${await app.signUp()}` };
  });
  afterEach(() => app.close());

  const call = (method: 'GET' | 'POST' | 'PUT' | 'DELETE', url: string, payload?: object) =>
    app.inject({ method, url, headers, ...(payload ? { payload } : {}) });
  const create = async () => (await call('POST', '/api/storage-targets', input)).json().data;

  it('seals the config, masks secrets, and keeps what a mask stands for', async () => {
    const created = await create();
    expect(created.config).toEqual({ address: 'vault.example', password: MASKED_SECRET, retries: 2 });
    const row = await app.db.selectFrom('storage_targets').selectAll().executeTakeFirstOrThrow();
    expect(row.config_sealed).toMatch(/^sealed:v1:/);
    expect(JSON.stringify(row)).not.toContain('vault.example');

    const masked = { ...input, name: 'v2', config: { address: 'new.example', password: MASKED_SECRET } };
    const updated = await call('PUT', `/api/storage-targets/${created.id}`, masked);
    expect(updated.json().data).toMatchObject({
      name: 'v2',
      config: { address: 'new.example', password: MASKED_SECRET },
    });
    await call('POST', `/api/storage-targets/${created.id}/test`);
    expect(engine.tested.at(-1)).toEqual({ type: 'vault', config: { address: 'new.example', password, retries: 2 } });

    const replaced = { ...masked, config: { address: 'new.example', password: 'other' } };
    await call('PUT', `/api/storage-targets/${created.id}`, replaced);
    await call('POST', `/api/storage-targets/${created.id}/test`);
    expect(engine.tested.at(-1)).toMatchObject({ config: { password: 'other' } });
  });

  it('refuses a mask with nothing behind it, wrong settings, unknown types and taken names', async () => {
    const masked = { ...input, config: { address: 'x', password: MASKED_SECRET } };
    const answer = await call('POST', '/api/storage-targets', masked);
    expect(answer.json()).toMatchObject({ code: 'INVALID_INPUT', fields: [{ path: 'config.password' }] });
    expect((await call('POST', '/api/storage-targets', { ...input, type: 'floppy' })).json().code).toBe(
      'STORAGE_TYPE_UNKNOWN',
    );
    await create();
    expect((await call('POST', '/api/storage-targets', input)).json().code).toBe('STORAGE_TARGET_NAME_TAKEN');
    expect((await call('GET', '/api/storage-targets/77')).json().code).toBe('STORAGE_TARGET_NOT_FOUND');
  });

  it('tests typed and saved values, remembers how it went, and leaks no secret', async () => {
    const { id } = await create();
    const typed = { id, type: 'vault', config: { address: 'typed', password: MASKED_SECRET } };
    expect((await call('POST', '/api/storage-targets/test', typed)).json().data.steps).toHaveLength(1);
    expect(engine.tested.at(-1)).toMatchObject({ config: { address: 'typed', password } });
    await call('POST', `/api/storage-targets/${id}/test`);
    expect((await call('GET', `/api/storage-targets/${id}`)).json().data).toMatchObject({ lastTestOk: true });

    isFailing = true;
    const failed = await call('POST', `/api/storage-targets/${id}/test`);
    expect(failed.json().code).toBe('STORAGE_TEST_FAILED');
    const after = await call('GET', `/api/storage-targets/${id}`);
    expect(after.json().data).toMatchObject({ lastTestOk: false, lastTestMessage: expect.stringContaining('denied') });

    isFailing = false;
    const same = await call('PUT', `/api/storage-targets/${id}`, { ...input, description: 'd' });
    expect(same.json().data.lastTestOk).toBe(false);
    const moved = { ...input, config: { ...input.config, address: 'b' } };
    expect((await call('PUT', `/api/storage-targets/${id}`, moved)).json().data.lastTestOk).toBeNull();

    const audit = await call('GET', '/api/audit-logs');
    for (const answer of [failed, after, audit]) expect(answer.body).not.toContain(password);
    expect(app.logText()).not.toContain(password);
  });

  it('answers a bare array or a page, stars first, and usage', async () => {
    const { id } = await create();
    await call('POST', '/api/storage-targets', { ...input, name: 'a0' });
    await call('PUT', `/api/storage-targets/${id}/star`, { starred: true });
    const names = (data: { name: string }[]) => data.map((one) => one.name);
    expect(names((await call('GET', '/api/storage-targets')).json().data)).toEqual(['v1', 'a0']);
    const page = (await call('GET', '/api/storage-targets?pageSize=1&page=2')).json().data;
    expect([names(page.items), page.total]).toEqual([['a0'], 2]);
    expect((await call('GET', `/api/storage-targets/${id}/usage`)).json().data).toMatchObject({ freeBytes: 2 });
  });

  it('cannot be deleted while a task or a record uses it', async () => {
    const { id } = await create();
    const task = { name: 't', type: 'files', storageTargetIds: [id], sourcePaths: ['/x'] };
    const made = await call('POST', '/api/backup/tasks', task);
    expect(made.statusCode, made.body).toBe(200);
    const refused = await call('DELETE', `/api/storage-targets/${id}`);
    expect(refused.json().code).toBe('STORAGE_TARGET_IN_USE');
    expect((await call('GET', `/api/storage-targets/${id}`)).json().data.taskCount).toBe(1);
    await call('DELETE', `/api/backup/tasks/${made.json().data.id}`);
    expect((await call('DELETE', `/api/storage-targets/${id}`)).statusCode).toBe(200);
    expect((await call('GET', '/api/storage-targets')).json().data).toEqual([]);
  });

  it('puts key and places into the recovery kit, but no secret of a place', async () => {
    await create();
    expect((await call('GET', '/api/recovery-kit/status')).json().data).toEqual({ needed: false, downloadedAt: null });
    const kit = await call('GET', '/api/recovery-kit');
    expect(kit.headers['content-type']).toContain('text/plain');
    expect(kit.body).toContain(testIdentity);
    expect(kit.body).toContain('vault.example');
    expect(kit.body).toContain('age -d -i key.txt');
    expect(kit.body).not.toContain(password);
    expect((await call('GET', '/api/recovery-kit/status')).json().data.downloadedAt).toBeTruthy();
    const audit = await call('GET', '/api/audit-logs?action=recovery_kit.download');
    expect(audit.json().data.total).toBe(1);
    expect(app.logText()).not.toContain(testIdentity);
    const rows = await app.db.selectFrom('settings').selectAll().execute();
    expect(JSON.stringify(rows)).not.toContain(testIdentity);
  });
});
