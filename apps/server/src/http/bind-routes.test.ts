import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { defineRoute } from '@backupx/contracts/define-route';
import { AppError } from '@backupx/contracts/errors';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { AuditRecord } from './audit-trail.ts';
import { bindRoutes } from './bind-routes.ts';
import { createServer } from './create-server.ts';
import { openEventStream } from './event-stream.ts';
import { bind } from './route-context.ts';

const echo = defineRoute({
  method: 'POST',
  path: '/api/echo/:id',
  access: 'viewer',
  summary: 'echo',
  audit: 'echo',
  params: z.object({ id: z.coerce.number().int() }),
  body: z.object({ text: z.string().min(2), count: z.number().default(1) }),
  bodyLimit: 2048,
  output: z.object({ text: z.string() }),
});
const fail = defineRoute({ method: 'POST', path: '/api/fail', access: 'viewer', summary: 'fails', audit: 'fail' });
const broken = defineRoute({
  method: 'GET',
  path: '/api/broken',
  access: 'viewer',
  summary: 'breaks its contract',
  output: z.object({ a: z.number() }),
});
const empty = defineRoute({
  method: 'POST',
  path: '/api/empty',
  access: 'agent',
  summary: 'poll',
  body: z.object({}).nullish(),
});
const events = defineRoute({ method: 'GET', path: '/api/events', access: 'viewer', summary: 'live', kind: 'events' });
const slow = defineRoute({ method: 'POST', path: '/api/slow', access: 'viewer', summary: 'takes its time' });
const upload = defineRoute({
  method: 'PUT',
  path: '/api/upload',
  access: 'viewer',
  summary: 'raw',
  bodyLimit: 'raw',
  output: z.object({ bytes: z.number() }),
});

describe('bindRoutes', () => {
  let fastify: Awaited<ReturnType<typeof createServer>>;
  let audits: AuditRecord[];
  let failure: unknown;
  let signals: AbortSignal[];
  let isSignedOut = false;

  beforeEach(async () => {
    audits = [];
    signals = [];
    isSignedOut = false;
    fastify = await createServer({ logger: pino({ level: 'silent' }), trustedProxies: [], scriptHashes: [] });
    bindRoutes(
      fastify,
      [
        bind(echo, ({ body, params, audit }) => {
          audit({ target: `t${params.id}`, detail: 'd' });
          return { text: body.text.repeat(body.count) };
        }),
        bind(fail, () => {
          throw failure;
        }),
        bind(broken, () => ({ a: 'x' }) as never),
        bind(events, ({ reply }) => {
          openEventStream(reply).send({ data: 1 });
          return undefined;
        }),
        bind(empty, () => undefined),
        bind(slow, async ({ signal }) => {
          signals.push(signal);
          await new Promise((resolve) => setTimeout(resolve, 400));
          return undefined;
        }),
        bind(upload, async ({ request }) => {
          let bytes = 0;
          for await (const chunk of request.raw) bytes += (chunk as Buffer).length;
          return { bytes };
        }),
      ],
      {
        authenticate: async () => {
          if (isSignedOut) throw new AppError('AUTH_REQUIRED');
          return { kind: 'user', userId: 1, username: 'u', role: 'admin', via: 'token', sessionId: null };
        },
        recheckMs: 50,
        recordAudit: async (entry) => void audits.push(entry),
        validateOutput: true,
        bodyTimeoutMs: 200,
      },
    );
    await fastify.ready();
  });
  afterEach(() => fastify.close());

  const post = (url: string, payload: string, headers: Record<string, string> = {}) =>
    fastify.inject({ method: 'POST', url, payload, headers: { 'content-type': 'application/json', ...headers } });

  it('answers the envelope and records success', async () => {
    const answer = await post('/api/echo/7', '{"text":"ab","count":2}');
    expect(answer.json()).toEqual({ code: 'OK', message: 'success', data: { text: 'abab' } });
    expect(audits).toEqual([
      expect.objectContaining({
        action: 'echo',
        username: 'u',
        via: 'token',
        target: 't7',
        detail: 'd',
        outcome: 'success',
      }),
    ]);
    expect(answer.headers['content-security-policy']).toContain("default-src 'self'");
    expect(answer.headers['x-request-id']).toBeTruthy();
    expect(answer.headers['cache-control']).toBe('no-store');
  });

  it('takes JSON whatever the content type says, and no body where none is needed', async () => {
    expect((await post('/api/echo/7', '{"text":"ab"}', { 'content-type': 'text/plain' })).statusCode).toBe(200);
    expect((await post('/api/empty', '')).json()).toEqual({ code: 'OK', message: 'success', data: null });
    expect((await fastify.inject({ method: 'POST', url: '/api/empty' })).statusCode).toBe(200);
    expect((await post('/api/fail', '{}', {})).statusCode).toBe(500);
  });

  it('names every wrong field at once', async () => {
    const answer = await post('/api/echo/x', '{"text":"a","count":"1"}');
    expect(answer.statusCode).toBe(400);
    expect(answer.json().code).toBe('INVALID_INPUT');
    expect(
      answer
        .json()
        .fields.map((field: { path: string }) => field.path)
        .sort(),
    ).toEqual(['count', 'id', 'text']);
    expect(audits).toEqual([]);
  });

  it('tells malformed, poisoned and oversized bodies apart', async () => {
    expect((await post('/api/echo/7', '{"text":')).json()).toMatchObject({ code: 'MALFORMED_JSON' });
    expect((await post('/api/echo/7', '{"__proto__":{"a":1}}')).json().code).toBe('MALFORMED_JSON');
    const large = await post('/api/echo/7', JSON.stringify({ text: 'x'.repeat(3000) }));
    expect(large.statusCode).toBe(413);
    expect(large.json().code).toBe('BODY_TOO_LARGE');
  });

  it('answers catalogue errors in the language of the reader and records them', async () => {
    failure = new AppError('NODE_OFFLINE', { node: 'web-1' });
    const english = await post('/api/fail', '');
    expect(english.json()).toMatchObject({ code: 'NODE_OFFLINE', message: 'web-1 is offline.' });
    const chinese = await post('/api/fail', '', { 'accept-language': 'zh-CN,zh;q=0.9,en;q=0.8' });
    expect(chinese.json()).toMatchObject({ message: 'web-1 已离线。', hint: '请在 web-1 上启动代理。' });
    expect(audits.map((entry) => entry.detail)).toEqual(['NODE_OFFLINE', 'NODE_OFFLINE']);
  });

  it('hides unknown errors behind INTERNAL with the request id', async () => {
    failure = new Error('password=hunter2');
    const answer = await post('/api/fail', '');
    expect(answer.statusCode).toBe(500);
    expect(answer.body).not.toContain('hunter2');
    expect(answer.json().hint).toContain(answer.json().requestId);
  });

  it('does not let an answer out that breaks its contract', async () => {
    const answer = await fastify.inject({ url: '/api/broken' });
    expect(answer.statusCode).toBe(500);
    expect(answer.json().code).toBe('INTERNAL');
  });

  it('hands raw bodies over unread, beyond any limit', async () => {
    const payload = Buffer.alloc(3 * 1024 * 1024, 1);
    for (const type of ['application/octet-stream', 'application/json']) {
      const headers = { 'content-type': type };
      const answer = await fastify.inject({ method: 'PUT', url: '/api/upload', payload, headers });
      expect(answer.json().data).toEqual({ bytes: payload.length });
    }
  });

  it('cuts off a body that does not arrive, but not a slow handler', async () => {
    await fastify.listen({ port: 0, host: '127.0.0.1' });
    const { port } = fastify.server.address() as AddressInfo;
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => {});
    socket.write('POST /api/echo/7 HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n{"text":');
    await once(socket, 'close');
    const slow = fetch(`http://127.0.0.1:${port}/api/slow`, { method: 'POST', body: '{}' });
    expect((await slow).status).toBe(200);
  });

  it('aborts the signal when the client goes away', async () => {
    await fastify.listen({ port: 0, host: '127.0.0.1' });
    const { port } = fastify.server.address() as AddressInfo;
    const gone = new AbortController();
    const request = fetch(`http://127.0.0.1:${port}/api/slow`, { method: 'POST', signal: gone.signal });
    await expect.poll(() => signals.length).toBe(1);
    gone.abort();
    await expect(request).rejects.toThrow();
    await expect.poll(() => signals[0]?.aborted).toBe(true);
  });

  it('cuts off an event stream when its listener is signed out', async () => {
    await fastify.listen({ port: 0, host: '127.0.0.1' });
    const { port } = fastify.server.address() as AddressInfo;
    const answer = await fetch(`http://127.0.0.1:${port}/api/events`);
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(fastify.openEventStreams.size).toBe(1);
    isSignedOut = true;
    await expect(answer.text()).rejects.toThrow();
    await expect.poll(() => fastify.openEventStreams.size).toBe(0);
  });
});
