import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type RunningServer, resetPassword, runServer } from './main.ts';

describe('runServer', () => {
  let cwd: string;
  const running: RunningServer[] = [];
  beforeEach(() => {
    cwd = mkdtempSync(join(tmpdir(), 'backupx-main-'));
  });
  afterEach(async () => {
    for (const server of running.splice(0)) await server.stop();
    rmSync(cwd, { recursive: true, force: true });
  });
  const flags = { 'server.host': '127.0.0.1', 'server.port': 0, 'log.level': 'silent' };
  const start = async (more: Record<string, unknown> = {}) => {
    const server = await runServer({ cwd, env: {}, flags: { ...flags, ...more }, handleSignals: false });
    running.push(server);
    return server;
  };

  it('serves, gives a local session, and stops so that the next start works', async () => {
    const server = await start();
    expect((await fetch(`${server.url}/ready`)).status).toBe(200);
    expect(await server.openAdminSession()).toBeNull();
    await server.createFirstAdmin({ username: 'admin', password: 'correct horse' });
    await expect(server.createFirstAdmin({ username: 'x12', password: 'correct horse' })).rejects.toMatchObject({
      code: 'AUTH_SETUP_DONE',
    });
    const authorization = `Bearer ${await server.openAdminSession()}`;
    const profile = await fetch(`${server.url}/api/auth/profile`, { headers: { authorization } });
    expect(profile.status).toBe(200);
    await resetPassword({ cwd, env: {} }, { username: 'admin', password: 'new password' });
    expect((await fetch(`${server.url}/api/auth/profile`, { headers: { authorization } })).status).toBe(401);
    await server.stop();
    await server.stopped;
    await expect(fetch(`${server.url}/health`)).rejects.toThrow();
    const next = await start();
    expect((await fetch(`${next.url}/api/auth/setup/status`)).status).toBe(200);
  });

  it('refuses a second master on the same data folder and a port in use', async () => {
    const server = await start();
    await expect(start()).rejects.toMatchObject({ code: 'ALREADY_RUNNING' });
    const elsewhere = { data_dir: join(cwd, 'other'), 'server.port': server.port };
    await expect(start(elsewhere)).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    expect((await fetch(`${server.url}/health`)).status).toBe(200);
    await start({ data_dir: join(cwd, 'other') });
  });
});
