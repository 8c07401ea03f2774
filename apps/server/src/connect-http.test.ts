import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { get, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { allRoutes } from '@backupx/contracts/api/all-routes';
import type { RouteContract } from '@backupx/contracts/define-route';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createTestApp, type TestApp } from './connect-test-app.ts';

let dir: string;
let app: TestApp;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'backupx-http-'));
});
afterEach(async () => {
  await app.close();
  rmSync(dir, { recursive: true, force: true });
});

describe('the console', () => {
  const page = '<!doctype html><script>1+1</script><script type="module" src="/assets/a.js"></script>';

  it('is served with a policy that allows exactly its own scripts, for every page address', async () => {
    mkdirSync(join(dir, 'assets'));
    writeFileSync(join(dir, 'index.html'), page);
    writeFileSync(join(dir, 'assets', 'a.js'), 'export {}');
    writeFileSync(join(dir, '..', 'outside.txt'), 'no');
    app = await createTestApp({ consoleDir: dir });
    for (const url of ['/', '/tasks/5', '/anything?x=1']) {
      const answer = await app.inject({ url, headers: { accept: 'text/html,*/*' } });
      expect([answer.statusCode, answer.body], url).toEqual([200, page]);
      expect(answer.headers['cache-control']).toBe('no-cache');
      expect(answer.headers['content-security-policy']).toMatch(/script-src 'self' 'sha256-[^']+';/);
    }
    const asset = await app.inject({ url: '/assets/a.js' });
    expect(asset.headers['cache-control']).toContain('immutable');
    expect((await app.inject({ url: '/assets/missing.js' })).statusCode).toBe(404);
    expect((await app.inject({ url: '/..%2foutside.txt' })).statusCode).not.toBe(200);
  });

  it('says so when it is not built', async () => {
    app = await createTestApp();
    const answer = await app.inject({ url: '/', headers: { accept: 'text/html' } });
    expect(answer.statusCode).toBe(503);
    expect(answer.body).toContain('npm run build');
  });
});

describe('addresses that are no route', () => {
  it('answer JSON below /api, whatever was asked for', async () => {
    app = await createTestApp();
    for (const url of ['/api/nothing', '/api', '/api/nothing?x', '/api/%E0%A4%A']) {
      const answer = await app.inject({ url, headers: { accept: 'text/html' } });
      expect([url, answer.statusCode, answer.json().code]).toEqual([url, 404, 'ROUTE_NOT_FOUND']);
    }
    expect((await app.inject({ method: 'POST', url: '/api/nothing', payload: '{' })).statusCode).toBeLessThan(500);
    expect((await app.inject({ url: '/nothing.txt' })).json().code).toBe('ROUTE_NOT_FOUND');
  });
});

describe('health, metrics and the OpenAPI document', () => {
  it('answer at both addresses without a credential', async () => {
    app = await createTestApp();
    await app.signUp();
    for (const prefix of ['', '/api']) {
      expect((await app.inject({ url: `${prefix}/health` })).json().data).toEqual({ status: 'ok' });
      expect((await app.inject({ url: `${prefix}/ready` })).json().data).toEqual({ status: 'ready' });
      const metrics = await app.inject({ url: `${prefix}/metrics` });
      expect(metrics.headers['content-type']).toContain('text/plain');
      expect(metrics.body).toContain('backupx_app_info{version="0.0.0-test"} 1');
      expect(metrics.body).toContain('role="master"} 1');
      for (const name of ['task_running', 'agent_command_queue_depth', 'sla_breach_tasks']) {
        expect(metrics.body).toMatch(new RegExp(`^backupx_${name} 0$`, 'm'));
      }
    }
  });

  it('describe every route with references that resolve', async () => {
    app = await createTestApp();
    const text = (await app.inject({ url: '/api/openapi.json' })).body;
    const document = JSON.parse(text) as {
      openapi: string;
      paths: Record<string, Record<string, { operationId: string; parameters: { name: string }[] }>>;
      components: { schemas: Record<string, unknown> };
    };
    expect(document.openapi).toBe('3.1.0');
    for (const [group, routes] of Object.entries(allRoutes)) {
      for (const [name, route] of Object.entries(routes as Record<string, RouteContract>)) {
        const path = route.path.replace(/:(\w+)/g, '{$1}');
        const operation = document.paths[path]?.[route.method.toLowerCase()];
        expect(operation?.operationId, path).toBe(`${group}_${name}`);
        const inPath = [...route.path.matchAll(/:(\w+)/g)].map((match) => match[1]);
        expect(
          operation?.parameters.map((one) => one.name),
          path,
        ).toEqual(expect.arrayContaining(inPath));
      }
    }
    const references = [...text.matchAll(/"\$ref":"([^"]+)"/g)].map((match) => match[1] ?? '');
    expect(references.length).toBeGreaterThan(20);
    for (const reference of references) {
      const name = reference.replace('#/components/schemas/', '');
      expect(Object.hasOwn(document.components.schemas, name), reference).toBe(true);
    }
  });
});

describe('the event stream', () => {
  /** Reads until `marker` came. */
  async function read(answer: IncomingMessage, marker: string): Promise<string> {
    answer.setEncoding('utf8');
    let text = '';
    for await (const chunk of answer) {
      text += chunk;
      if (text.includes(marker)) break;
    }
    return text;
  }

  it('replays after Last-Event-ID, says reload after a gap, and ends with the server', async () => {
    app = await createTestApp();
    const token = await app.signUp();
    const authorization = `Bearer ${token}`;
    await app.fastify.listen({ port: 0, host: '127.0.0.1' });
    const { port } = app.fastify.server.address() as AddressInfo;
    const open = (lastId?: string) =>
      new Promise<IncomingMessage>((resolve, reject) => {
        const headers = { authorization, ...(lastId ? { 'last-event-id': lastId } : {}) };
        get({ port, path: '/api/events/stream', headers }, resolve).on('error', reject);
      });
    const create = (name: string) => {
      const payload = { name, type: 'vault', config: { address: 'a', password: 'b' } };
      return app.inject({ method: 'POST', url: '/api/storage-targets', payload, headers: { authorization } });
    };

    const live = await open();
    await create('one');
    const first = await read(live, 'storage_target_changed');
    const id = /id: (\d+)/.exec(first)?.[1] ?? '';
    await create('two');
    const again = await read(await open(id), '"storageTargetId":2');
    expect(again).not.toContain('"storageTargetId":1');
    expect(again).toContain(`id: ${Number(id) + 1}`);
    expect(await read(await open('3'), 'event: reload')).toContain('event: reload');

    const last = await open();
    const ended = new Promise((resolve) => last.on('end', resolve).resume());
    await app.stop();
    await ended;
  });
});

describe('starting again', () => {
  const open = (flags = {}) => createTestApp({ dataDir: dir, flags });

  it('opens what the last start sealed, and refuses another or a lost key', async () => {
    app = await open();
    const token = await app.signUp();
    const kit = await app.inject({ url: '/api/recovery-kit', headers: { authorization: `Bearer ${token}` } });
    await app.stop();
    app = await open();
    const answer = await app.inject({ url: '/api/recovery-kit', headers: { authorization: `Bearer ${token}` } });
    expect(answer.body.split('\n').slice(3)).toEqual(kit.body.split('\n').slice(3));
    await app.stop();
    const other = { 'security.encryption_key': 'ab'.repeat(32) };
    await expect(open(other)).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('is not the one'),
    });
    rmSync(join(dir, 'secret.key'));
    await expect(open()).rejects.toMatchObject({ code: 'CONFIG_INVALID', message: expect.stringContaining('missing') });
  });
});
