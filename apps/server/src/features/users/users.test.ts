import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createTestApp, type TestApp } from '../../connect-test-app.ts';

describe('user and API key routes', () => {
  let app: TestApp;
  let headers: Record<string, string>;
  beforeEach(async () => {
    app = await createTestApp();
    headers = { authorization: `Bearer ${await app.signUp()}` };
  });
  afterEach(() => app.close());

  const call = (method: 'GET' | 'POST' | 'PUT' | 'DELETE', url: string, payload?: object) =>
    app.inject({ method, url, headers, ...(payload ? { payload } : {}) });

  it('creates, lists, changes and deletes users', async () => {
    const user = { username: 'olga', password: 'long enough', role: 'operator' };
    const created = await call('POST', '/api/users', user);
    expect(created.json().data).toMatchObject({ username: 'olga', role: 'operator', enabled: true });
    expect(created.body).not.toContain('argon2');
    expect((await call('POST', '/api/users', { ...user, username: 'OLGA' })).json().code).toBe('USER_NAME_TAKEN');
    expect((await call('GET', '/api/users')).json().data).toHaveLength(2);
    const page = (await call('GET', '/api/users?page=2&pageSize=1')).json().data;
    expect(page).toMatchObject({ total: 2, items: [{ username: 'olga' }] });

    const { id } = created.json().data;
    const login = await app.inject({ method: 'POST', url: '/api/auth/login', payload: user });
    const hers = { authorization: `Bearer ${login.json().data.token}` };
    const disabled = { username: 'olga', role: 'viewer', enabled: false };
    expect((await call('PUT', `/api/users/${id}`, disabled)).json().data.enabled).toBe(false);
    expect((await app.inject({ url: '/api/auth/profile', headers: hers })).statusCode).toBe(401);
    expect((await call('PUT', `/api/users/${id}`, { ...disabled, username: 'admin' })).json().code).toBe(
      'USER_NAME_TAKEN',
    );
    expect((await call('DELETE', `/api/users/${id}`)).statusCode).toBe(200);
    expect((await call('DELETE', `/api/users/${id}`)).json().code).toBe('USER_NOT_FOUND');
  });

  it('keeps the last administrator', async () => {
    const { id } = (await call('GET', '/api/auth/profile')).json().data;
    const change = { username: 'admin', role: 'admin' };
    expect((await call('DELETE', `/api/users/${id}`)).json().code).toBe('USER_LAST_ADMIN');
    expect((await call('PUT', `/api/users/${id}`, { ...change, role: 'viewer' })).json().code).toBe('USER_LAST_ADMIN');
    expect((await call('PUT', `/api/users/${id}`, { ...change, enabled: false })).json().code).toBe('USER_LAST_ADMIN');
    expect((await call('GET', '/api/users')).json().data).toMatchObject([{ role: 'admin', enabled: true }]);
  });

  it('shows an API key once, honours both headers, switches it off and revokes it', async () => {
    const created = (await call('POST', '/api/api-keys', { name: 'ci', role: 'viewer' })).json().data;
    expect(created.key).toMatch(/^bax_/);
    const list = await call('GET', '/api/api-keys');
    expect(list.body).not.toContain(created.key);
    expect(list.json().data).toMatchObject([{ name: 'ci', createdBy: 'admin' }]);
    const settings = (given: Record<string, string>) => app.inject({ url: '/api/settings', headers: given });
    expect((await settings({ 'x-api-key': created.key })).statusCode).toBe(200);
    expect((await settings({ authorization: `Bearer ${created.key}` })).statusCode).toBe(200);
    expect((await settings({ 'x-api-key': `${created.key}x`, ...headers })).statusCode).toBe(401);
    await call('PUT', `/api/api-keys/${created.id}/toggle`, { enabled: false });
    expect((await settings({ 'x-api-key': created.key })).statusCode).toBe(401);
    await call('PUT', `/api/api-keys/${created.id}/toggle`, { enabled: true });
    expect((await settings({ 'x-api-key': created.key })).statusCode).toBe(200);
    await call('DELETE', `/api/api-keys/${created.id}`);
    expect((await settings({ 'x-api-key': created.key })).statusCode).toBe(401);
    expect(app.logText()).not.toContain(created.key);
  });

  it('changes settings one by one and refuses nonsense', async () => {
    const changed = await call('PUT', '/api/settings', { timezone: 'Asia/Shanghai' });
    expect(changed.json().data).toEqual({
      maintenanceWindow: '',
      siteName: 'BackupX',
      timezone: 'Asia/Shanghai',
      externalUrl: '',
    });
    const next = await call('PUT', '/api/settings', { externalUrl: 'https://b.example/x/' });
    expect(next.json().data).toMatchObject({ timezone: 'Asia/Shanghai', externalUrl: 'https://b.example/x' });
    const bad = await call('PUT', '/api/settings', { timezone: 'Mars/Olympus', externalUrl: 'ftp://x' });
    expect(bad.json().fields.map((field: { path: string }) => field.path)).toEqual(['timezone', 'externalUrl']);
    expect((await call('GET', '/api/system/info')).json().data).toMatchObject({
      timezone: 'Asia/Shanghai',
      externalUrl: 'https://b.example/x',
      databaseKind: 'sqlite',
      suggestedStoragePath: expect.stringMatching(/^\/.*\/storage$/),
    });
  });
});
