import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createTestApp, type TestApp } from '../../connect-test-app.ts';
import { createFirstAdmin } from './create-first-admin.ts';
import { openAdminSession } from './open-admin-session.ts';
import { resetPassword } from './reset-password.ts';

const admin = { username: 'admin', password: 'correct horse' };

describe('auth routes', () => {
  let app: TestApp;
  const later = { ms: 0 };
  const clock = {
    now: () => new Date(Date.now() + later.ms),
    monotonicMs: () => performance.now() + later.ms,
    sleep: () => new Promise<void>(() => {}),
  };
  beforeEach(async () => {
    later.ms = 0;
    app = await createTestApp({ clock });
  });
  afterEach(() => app.close());

  const post = (url: string, payload: object, headers: Record<string, string> = {}, remoteAddress = '10.0.0.1') =>
    app.inject({ method: 'POST', url, payload, headers, remoteAddress });
  const profile = (headers: Record<string, string>) => app.inject({ url: '/api/auth/profile', headers });

  it('asks for set-up, takes one administrator, then signs in', async () => {
    expect((await app.inject({ url: '/api/auth/setup/status' })).json().data).toEqual({ initialized: false });
    expect((await post('/api/auth/login', admin)).json().code).toBe('AUTH_SETUP_REQUIRED');
    expect((await post('/api/auth/setup', { username: 'ad', password: 'short' })).json().fields).toHaveLength(2);
    const done = await post('/api/auth/setup', admin);
    expect(done.json().data.user).toMatchObject({ username: 'admin', role: 'admin' });
    expect((await post('/api/auth/setup', { username: 'other', password: 'long enough' })).json().code).toBe(
      'AUTH_SETUP_DONE',
    );
    expect((await app.inject({ url: '/api/auth/setup/status' })).json().data).toEqual({ initialized: true });

    const login = await post('/api/auth/login', { ...admin, username: ' ADMIN ' });
    const { token } = login.json().data;
    expect((await profile({ authorization: `Bearer ${token}` })).json().data).toMatchObject({ username: 'admin' });
    expect((await post('/api/auth/logout', {}, { authorization: `Bearer ${token}` })).statusCode).toBe(200);
    expect((await profile({ authorization: `Bearer ${token}` })).json().code).toBe('AUTH_REQUIRED');
  });

  it('lets one of two set-ups at the same time win', async () => {
    const both = await Promise.all([post('/api/auth/setup', admin), post('/api/auth/setup', admin)]);
    expect(both.map((answer) => answer.statusCode).sort()).toEqual([200, 409]);
  });

  it('sets a cookie that scripts cannot read, and wants the CSRF token for changes', async () => {
    const setup = await post('/api/auth/setup', admin);
    const cookie = setup.cookies[0];
    expect(cookie).toMatchObject({ name: 'backupx_session', httpOnly: true, sameSite: 'Lax', path: '/' });
    expect(cookie?.secure).toBeFalsy();
    const headers = { cookie: `backupx_session=${cookie?.value}` };
    const { csrfToken } = setup.json().data;
    expect((await profile(headers)).json().data.csrfToken).toBe(csrfToken);
    expect((await post('/api/auth/logout', {}, headers)).json().code).toBe('AUTH_CSRF');
    expect((await post('/api/auth/logout', {}, { ...headers, 'x-csrf-token': 'wrong' })).json().code).toBe('AUTH_CSRF');
    const crossSite = { ...headers, 'x-csrf-token': csrfToken, 'sec-fetch-site': 'cross-site' };
    expect((await post('/api/auth/logout', {}, crossSite)).json().code).toBe('AUTH_CSRF');
    expect((await post('/api/auth/logout', {}, { ...headers, 'x-csrf-token': csrfToken })).statusCode).toBe(200);
    expect((await profile(headers)).json().code).toBe('AUTH_REQUIRED');
  });

  it('marks the cookie secure behind a trusted proxy only', async () => {
    const forwarded = { 'x-forwarded-proto': 'https' };
    expect((await post('/api/auth/setup', admin, forwarded)).cookies[0]?.secure).toBeFalsy();
    const behind = await createTestApp({ flags: { 'server.trusted_proxies': ['10.0.0.1'] } });
    const answer = await behind.inject({
      method: 'POST',
      url: '/api/auth/setup',
      payload: admin,
      headers: { ...forwarded, 'x-forwarded-for': '203.0.113.9' },
      remoteAddress: '10.0.0.1',
    });
    expect(answer.cookies[0]?.secure).toBe(true);
    const token = answer.json().data.token;
    const audit = await behind.inject({ url: '/api/audit-logs', headers: { authorization: `Bearer ${token}` } });
    expect(audit.json().data.items[0]).toMatchObject({ action: 'auth.setup', ipAddress: '203.0.113.9' });
    await behind.close();
  });

  it('keeps other sites from completing the set-up', async () => {
    const foreign = { origin: 'http://evil.example', host: 'backup.local' };
    const form = await app.inject({
      method: 'POST',
      url: '/api/auth/setup',
      payload: JSON.stringify(admin),
      headers: { ...foreign, 'content-type': 'text/plain' },
    });
    expect(form.json().code).toBe('AUTH_CSRF');
    const preflight = await app.inject({ method: 'OPTIONS', url: '/api/auth/setup', headers: foreign });
    expect(preflight.headers['access-control-allow-origin']).toBeUndefined();
    expect(preflight.statusCode).toBe(404);
    expect((await post('/api/auth/setup', admin, { 'sec-fetch-site': 'same-site' })).json().code).toBe('AUTH_CSRF');
    // A proxy that replaced the host: the page is ours, and its JSON proves it.
    const own = { origin: 'https://backup.local', host: '127.0.0.1:8340' };
    expect((await post('/api/auth/setup', admin, own)).statusCode).toBe(200);
  });

  it('limits guesses per user name and per address, with Retry-After', async () => {
    await app.signUp();
    const guess = (username: string, address: string) =>
      post('/api/auth/login', { username, password: 'wrong' }, {}, address);
    for (let i = 0; i < 10; i += 1) {
      expect((await guess('admin', `10.1.0.${i}`)).json().code).toBe('AUTH_INVALID_CREDENTIALS');
    }
    const refused = await guess('Admin', '10.1.0.99');
    expect(refused.statusCode).toBe(429);
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(100);
    expect((await post('/api/auth/login', admin)).json().code).toBe('RATE_LIMITED');
    later.ms = 6 * 60_000;
    expect((await post('/api/auth/login', admin)).statusCode).toBe(200);

    const many = await Promise.all(Array.from({ length: 35 }, (_, i) => guess(`user${i}`, '10.2.0.1')));
    expect(many.filter((answer) => answer.statusCode === 429)).toHaveLength(5);
  });

  it('ends sessions in time, with a new password and with a disabled user', async () => {
    const token = await app.signUp();
    const headers = { authorization: `Bearer ${token}` };
    const other = (await post('/api/auth/login', admin)).json().data.token;
    const change = (currentPassword: string) =>
      app.inject({
        method: 'PUT',
        url: '/api/auth/password',
        headers,
        payload: { currentPassword, newPassword: 'another horse' },
      });
    expect((await change('wrong')).json().code).toBe('AUTH_INVALID_CREDENTIALS');
    expect((await change(admin.password)).statusCode).toBe(200);
    expect((await profile({ authorization: `Bearer ${other}` })).statusCode).toBe(401);
    expect((await profile(headers)).statusCode).toBe(200);
    later.ms = 8 * 24 * 3_600_000;
    expect((await profile(headers)).statusCode).toBe(401);
  });

  it('resets a password from the command line and opens a local session', async () => {
    const deps = { db: app.db, clock, sessionTtlMs: 60_000 };
    expect(await openAdminSession(deps)).toBeNull();
    await createFirstAdmin(deps, admin);
    await expect(resetPassword(deps, { username: 'nobody', password: 'long enough' })).rejects.toMatchObject({
      code: 'USER_NOT_FOUND',
    });
    await expect(resetPassword(deps, { username: 'admin', password: 'x' })).rejects.toMatchObject({
      code: 'INVALID_INPUT',
    });
    await resetPassword(deps, { username: 'admin', password: 'third horse' });
    expect((await post('/api/auth/login', admin)).statusCode).toBe(401);
    expect((await post('/api/auth/login', { username: 'admin', password: 'third horse' })).statusCode).toBe(200);
    const token = await openAdminSession(deps);
    expect((await profile({ authorization: `Bearer ${token}` })).statusCode).toBe(200);
  });

  it('records failed logins under the name that was tried, and keeps passwords out of logs and answers', async () => {
    const token = await app.signUp();
    await post('/api/auth/login', { username: 'admin', password: 'hunter2 hunter2' });
    const audit = await app.inject({ url: '/api/audit-logs', headers: { authorization: `Bearer ${token}` } });
    expect(audit.json().data.items[0]).toMatchObject({
      action: 'auth.login',
      username: 'admin',
      via: 'anonymous',
      outcome: 'failure',
      detail: 'AUTH_INVALID_CREDENTIALS',
    });
    for (const secret of ['hunter2', admin.password, token]) {
      expect(app.logText()).not.toContain(secret);
      expect(audit.body).not.toContain(secret);
    }
  });
});
