import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import { connect } from 'node:net';
import { createMemoryStorage, type MemoryStorage } from '@backupx/engine/testing/memory-storage';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  otherNodeToken,
  startTestGateway,
  type TestGateway,
  testNodeToken,
  testRepository,
} from '../../connect-test-gateway.ts';

const V2 = 'application/vnd.x.restic.rest.v2';
const nameOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const basic = (user: string, token: string) => ({
  authorization: `Basic ${Buffer.from(`${user}:${token}`).toString('base64')}`,
});

let storage: MemoryStorage;
let gateway: TestGateway;
let nowMs: number;
let onStored: () => Promise<void>;

beforeEach(async () => {
  storage = createMemoryStorage();
  nowMs = 0;
  onStored = async () => {};
  gateway = await startTestGateway({
    openStorage: () => storage,
    onStored: () => onStored(),
    clock: { monotonicMs: () => nowMs, now: () => new Date(Date.now() + nowMs) },
  });
  gateway.repositories.set('3', testRepository(3));
});
afterEach(() => gateway.stop());

/** A request with the node's token, unless told otherwise. */
function ask(method: string, path: string, init: { headers?: Record<string, string>; body?: Uint8Array } = {}) {
  const { headers = { 'x-agent-token': testNodeToken }, body } = init;
  return fetch(gateway.url + path, { method, headers, ...(body ? { body: Buffer.from(body) } : {}) });
}
const agent = (more: Record<string, string> = {}) => ({ 'x-agent-token': testNodeToken, ...more });
const store = (type: string, bytes: Uint8Array, repository = '3') =>
  ask('POST', `/r/${repository}/${type}/${nameOf(bytes)}`, { body: bytes });
const bodyOf = async (answer: Response) => Buffer.from(await answer.arrayBuffer());

describe('who may come in', () => {
  it.each([
    ['nothing', {}],
    ['a wrong node token', { 'x-agent-token': 'bxa_1_wrong' }],
    ['an API key', { 'x-agent-token': 'bax_0123456789' }],
    ['a session', { authorization: 'Bearer bxs_0123456789' }],
    ['a session cookie', { cookie: `backupx_session=${testNodeToken}` }],
    ['a key of the console', { 'x-api-key': testNodeToken }],
    ['a wrong user', basic('somebody', testNodeToken)],
    ['basic authentication without a colon', { authorization: `Basic ${btoa(testNodeToken)}` }],
  ])('refuses %s', async (_what, headers: Record<string, string>) => {
    const answer = await ask('GET', '/r/3/config', { headers });
    expect(answer.status).toBe(401);
    expect(answer.headers.get('www-authenticate')).toContain('Basic');
    expect(await answer.json()).toMatchObject({ code: 'NODE_INVALID_TOKEN' });
  });

  it.each([
    ['its header', agent()],
    ['a bearer token', { authorization: `Bearer ${testNodeToken}` }],
    ['basic authentication', basic('web-1', testNodeToken)],
  ])('knows a node by %s', async (_what, headers: Record<string, string>) => {
    expect((await ask('GET', '/r/3/keys/', { headers })).status).toBe(200);
  });

  it('says the same of a foreign repository as of none', async () => {
    gateway.repositories.set('foreign-4', testRepository(4));
    const answers = await Promise.all(
      ['foreign-4', '99'].map((name) => ask('GET', `/r/${name}/config`, { headers: agent() })),
    );
    const bodies = await Promise.all(
      answers.map(async (answer) => ({ ...((await answer.json()) as object), requestId: '' })),
    );
    expect(answers.map(({ status }) => status)).toEqual([403, 403]);
    expect(bodies[0]).toEqual(bodies[1]);
    expect(bodies[0]).toMatchObject({ code: 'REPOSITORY_FORBIDDEN' });
  });

  it('writes refusals into the audit trail, the same one only once in a while', async () => {
    for (let i = 0; i < 3; i++) await ask('GET', '/r/99/config');
    await ask('GET', '/r/3/config', { headers: { 'x-agent-token': 'bxa_1_wrong' } });
    expect(gateway.audits).toMatchObject([
      {
        action: 'repository.access',
        username: 'web-1',
        target: '99',
        detail: 'REPOSITORY_FORBIDDEN',
        outcome: 'failure',
      },
      { username: '', via: 'anonymous', target: '3', detail: 'NODE_INVALID_TOKEN', ipAddress: '127.0.0.1' },
    ]);
    nowMs += 11 * 60_000;
    await ask('GET', '/r/99/config');
    expect(gateway.audits).toHaveLength(3);
  });

  it('reads the body of what it refused for a while, not for ever', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const socket = connect(Number(new URL(gateway.url).port), '127.0.0.1');
      const path = `/r/3/data/${nameOf(Buffer.from('x'))}`;
      socket.write(`POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nbegin`);
      expect(String((await once(socket, 'data'))[0])).toContain('401');
      vi.advanceTimersByTime(6 * 60_000);
      await once(socket, 'close');
    } finally {
      vi.useRealTimers();
    }
  });

  it('slows guessing down, but not the client that is known', async () => {
    await ask('GET', '/r/3/config');
    const guesses: number[] = [];
    for (let i = 0; i < 32; i++)
      guesses.push((await ask('GET', '/r/3/config', { headers: agent({ 'x-agent-token': `x${i}` }) })).status);
    expect(guesses.slice(0, 30)).toEqual(Array(30).fill(401));
    expect(guesses.slice(30)).toEqual([429, 429]);
    expect((await ask('GET', '/r/3/config')).status).toBe(404);
    expect((await ask('GET', '/r/3/config', { headers: { authorization: 'Bearer nobody' } })).status).toBe(401);
  });

  it('has nothing at other addresses', async () => {
    const name = nameOf(Buffer.from('x'));
    for (const path of [
      '/r/',
      '/r/3/other/',
      '/r/3/data/short',
      `/r/3/data/${name}/more`,
      `/r/3/data/${name.toUpperCase()}`,
      '/r/3/config/',
      '/r/%E0%A4%A/config',
      `/r/3/data/..%2f..%2f${name}`,
      '/r/3//config',
    ]) {
      expect([path, (await ask('GET', path)).status]).toEqual([path, 404]);
    }
    expect((await ask('PUT', `/r/3/data/${name}`, { body: Buffer.from('x') })).status).toBe(404);
    expect((await ask('GET', '/r/3/')).status).toBe(404);
  });
});

describe('storing', () => {
  const bytes = randomBytes(300_000);

  it('puts a file where a repository has it, and tells of its arrival', async () => {
    expect((await store('data', bytes)).status).toBe(200);
    const name = nameOf(bytes);
    expect(storage.objects.get(`repositories/3/data/${name.slice(0, 2)}/${name}`)).toEqual(new Uint8Array(bytes));
    expect(gateway.stored).toEqual([{ repositoryId: 3, type: 'data', name, sizeBytes: 300_000, caller: 'web-1' }]);
  });

  it('accepts the making of a repository, and keeps its config for ever', async () => {
    gateway.repositories.set('3', testRepository(3, { isAppendOnly: false }));
    expect((await ask('POST', '/r/3/?create=true')).status).toBe(200);
    expect((await ask('POST', '/r/3/')).status).toBe(400);
    expect((await ask('POST', '/r/3/config', { body: Buffer.from('one') })).status).toBe(200);
    expect((await ask('POST', '/r/3/config', { body: Buffer.from('two') })).status).toBe(403);
    expect((await ask('DELETE', '/r/3/config')).status).toBe(403);
    expect((await ask('DELETE', '/r/3/')).status).toBe(403);
    expect(Buffer.from(storage.objects.get('repositories/3/config') ?? []).toString()).toBe('one');
    expect(gateway.stored).toMatchObject([{ type: 'config', name: 'config', sizeBytes: 3 }]);
  });

  it('lets one of several configs win that come at the same time', async () => {
    const stat = storage.stat.bind(storage);
    storage.stat = async (...about) => {
      await new Promise((resolve) => setTimeout(resolve, 50));
      return stat(...about);
    };
    const answers = await Promise.all(
      ['one', 'two', 'three'].map((text) => ask('POST', '/r/3/config', { body: Buffer.from(text) })),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 403, 403]);
  });

  it('does not overwrite', async () => {
    await store('keys', bytes.subarray(0, 500));
    const answer = await store('keys', bytes.subarray(0, 500));
    expect(answer.status).toBe(403);
    expect(await answer.json()).toMatchObject({ fields: [{ code: 'exists' }] });
    expect(gateway.stored).toHaveLength(1);
  });

  it('leaves nothing of a file that is not what its name says', async () => {
    const answer = await ask('POST', `/r/3/snapshots/${nameOf(Buffer.from('other'))}`, { body: bytes });
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({ code: 'INVALID_INPUT', fields: [{ path: 'name', code: 'mismatch' }] });
    expect(storage.objects.size).toBe(0);
    expect(gateway.stored).toEqual([]);
    // The connection is still good.
    expect((await store('snapshots', bytes)).status).toBe(200);
  });

  it('leaves nothing of a file that breaks off', async () => {
    const socket = connect(gateway.port, '127.0.0.1');
    await once(socket, 'connect');
    socket.write(
      `POST /r/3/data/${nameOf(bytes)} HTTP/1.1\r\nHost: x\r\nX-Agent-Token: ${testNodeToken}\r\nContent-Length: ${bytes.length}\r\n\r\n`,
    );
    socket.write(bytes.subarray(0, 200_000));
    await new Promise((resolve) => setTimeout(resolve, 100));
    socket.destroy();
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(storage.objects.size).toBe(0);
    expect((await store('data', bytes)).status).toBe(200);
  });

  it.each([
    ['without a length', 411, { 'transfer-encoding': 'chunked' }],
    ['that is empty', 400, { 'content-length': '0' }],
    ['that is too large for its kind', 413, { 'content-length': String(64 * 1024 + 1) }],
  ])('refuses a file %s', async (_what, status, headers) => {
    const request = http.request(`${gateway.url}/r/3/locks/${nameOf(bytes)}`, {
      method: 'POST',
      headers: agent(headers as Record<string, string>),
    });
    request.on('error', () => {});
    request.flushHeaders();
    const [answer] = (await once(request, 'response')) as [http.IncomingMessage];
    request.destroy();
    expect(answer.statusCode).toBe(status);
    expect(storage.objects.size).toBe(0);
  });

  it('keeps to the quota, also with many at once, and still takes locks', async () => {
    gateway.repositories.set('3', testRepository(3, { quotaBytes: 1000, usedBytes: 500 }));
    const files = Array.from({ length: 6 }, () => randomBytes(200));
    const answers = await Promise.all(files.map((file) => store('data', file)));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 200, 507, 507, 507, 507]);
    expect(await answers.find(({ status }) => status === 507)?.json()).toMatchObject({ code: 'STORAGE_FULL' });
    expect((await store('locks', randomBytes(200))).status).toBe(200);
    // The directory has caught up: what it tells is believed.
    gateway.repositories.set('3', testRepository(3, { quotaBytes: 1000, usedBytes: 600 }));
    expect((await store('data', randomBytes(400))).status).toBe(200);
    expect((await store('data', randomBytes(1))).status).toBe(507);
  });

  it('says of a file that is there already that it is there, also when nothing more fits', async () => {
    gateway.repositories.set('3', testRepository(3, { quotaBytes: 1000 }));
    const file = randomBytes(900);
    const answers = [await store('data', file), await store('data', file), await store('data', randomBytes(900))];
    expect(answers.map(({ status }) => status)).toEqual([200, 403, 507]);
  });

  it('gives back the room of a file that failed', async () => {
    gateway.repositories.set('3', testRepository(3, { quotaBytes: 1000 }));
    expect((await ask('POST', `/r/3/data/${nameOf(Buffer.from('y'))}`, { body: randomBytes(900) })).status).toBe(400);
    expect((await store('data', randomBytes(900))).status).toBe(200);
  });

  it('does not take locks without end', async () => {
    for (let i = 0; i < 1000; i++)
      storage.objects.set(`repositories/3/locks/${nameOf(Buffer.from(`${i}`))}`, new Uint8Array(1));
    expect((await store('locks', randomBytes(100))).status).toBe(507);
  });

  it('tells what the storage says, with statuses that are not the client’s fault', async () => {
    storage.knobs.failAfterBytes = 10;
    expect((await store('data', bytes)).status).toBe(507);
    gateway.repositories.set('3', testRepository(3, { target: { type: 'gone', config: {} } }));
    expect((await store('data', bytes)).status).toBe(502);
  });

  it('has stored a file although nobody could be told', async () => {
    onStored = () => Promise.reject(new Error('the database is away'));
    expect((await store('data', bytes)).status).toBe(200);
  });

  it('keeps one storage open, and moves not too much at once', async () => {
    const files = Array.from({ length: 40 }, () => randomBytes(20_000));
    const answers = await Promise.all(files.map((file) => store('data', file)));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(gateway.opened()).toBe(1);
  });
});

describe('reading', () => {
  const bytes = randomBytes(700_000);
  const path = `/r/3/data/${nameOf(bytes)}`;
  beforeEach(async () => void (await store('data', bytes)));

  it.each([
    [undefined, 200, [0, 700_000]],
    ['bytes=0-', 206, [0, 700_000]],
    ['bytes=100-199', 206, [100, 200]],
    ['bytes=699990-', 206, [699_990, 700_000]],
    ['bytes=699990-800000', 206, [699_990, 700_000]],
    ['bytes=-10', 206, [699_990, 700_000]],
    ['bytes=5-2', 200, [0, 700_000]],
    ['bytes=0-1,5-6', 200, [0, 700_000]],
    ['lines=1-2', 200, [0, 700_000]],
  ] as const)('answers the range %s', async (range, status, [start, end]) => {
    const answer = await ask('GET', path, { headers: agent(range ? { range } : {}) });
    expect(answer.status).toBe(status);
    expect(answer.headers.get('content-length')).toBe(String(end - start));
    if (status === 206) expect(answer.headers.get('content-range')).toBe(`bytes ${start}-${end - 1}/700000`);
    expect((await bodyOf(answer)).equals(bytes.subarray(start, end))).toBe(true);
  });

  it('refuses a range past the end', async () => {
    const answer = await ask('GET', path, { headers: agent({ range: 'bytes=700000-' }) });
    expect(answer.status).toBe(416);
    expect(answer.headers.get('content-range')).toBe('bytes */700000');
  });

  it('answers HEAD with size and time', async () => {
    const answer = await ask('HEAD', path);
    expect([answer.status, answer.headers.get('content-length')]).toEqual([200, '700000']);
    expect(answer.headers.get('last-modified')).toMatch(/GMT$/);
    expect((await ask('HEAD', '/r/3/config')).status).toBe(404);
    expect((await ask('GET', '/r/3/config')).status).toBe(404);
  });

  it('lists by version, without what is not a repository’s', async () => {
    storage.objects.set(`repositories/3/data/${nameOf(bytes)}`, new Uint8Array(1));
    storage.objects.set('repositories/3/data/ab/junk', new Uint8Array(1));
    storage.objects.set(`repositories/33/data/ab/${'ab'.repeat(32)}`, new Uint8Array(1));
    const [v1, v2] = await Promise.all([
      ask('GET', '/r/3/data/'),
      ask('GET', '/r/3/data/', { headers: agent({ accept: V2 }) }),
    ]);
    expect(v1.headers.get('content-type')).toBe('application/vnd.x.restic.rest.v1');
    expect(await v1.json()).toEqual([nameOf(bytes)]);
    expect(v2.headers.get('content-type')).toBe(V2);
    expect(await v2.json()).toEqual([{ name: nameOf(bytes), size: 700_000 }]);
    expect(await (await ask('GET', '/r/3/locks/')).json()).toEqual([]);
  });

  it.each([
    ['a file', path],
    ['a list', '/r/3/index/'],
  ])('closes %s at the storage also for who leaves before the second piece', async (_what, address) => {
    const asked = Promise.withResolvers<void>();
    const closed = Promise.withResolvers<void>();
    // Without an ear for its signal, like a disk between two reads.
    async function* whenNobodyListens<T>(item: T, left: AbortSignal): AsyncGenerator<T> {
      try {
        asked.resolve();
        await once(left, 'abort');
        for (;;) yield item;
      } finally {
        closed.resolve();
      }
    }
    storage.get = (_key, options) => whenNobodyListens(bytes.subarray(0, 1000), options.signal);
    const object = { key: `repositories/3/index/${nameOf(bytes)}`, sizeBytes: 1, modifiedAt: null };
    storage.list = (_prefix, left) => whenNobodyListens(object, left);
    const request = http.get(gateway.url + address, { headers: agent() });
    request.on('error', () => {});
    await asked.promise;
    request.destroy();
    await closed.promise;
  });

  it('tells when locks were written', async () => {
    await store('locks', Buffer.from('lock'));
    const list = await (await ask('GET', '/r/3/locks/', { headers: agent({ accept: V2 }) })).json();
    expect(list).toEqual([{ name: nameOf(Buffer.from('lock')), size: 4, modified: expect.stringMatching(/Z$/) }]);
  });

  it('lists very many', async () => {
    for (let i = 0; i < 5000; i++)
      storage.objects.set(`repositories/3/index/${nameOf(Buffer.from(`${i}`))}`, new Uint8Array(i % 7));
    const list = (await (await ask('GET', '/r/3/index/', { headers: agent({ accept: V2 }) })).json()) as unknown[];
    expect(list).toHaveLength(5000);
  });
});

describe('locks', () => {
  const lock = Buffer.from('a lock');
  const path = `/r/3/locks/${nameOf(lock)}`;
  const remove = (token: string) => ask('DELETE', path, { headers: { 'x-agent-token': token } });

  it('are taken away by who has set them', async () => {
    await store('locks', lock);
    expect((await remove(otherNodeToken)).status).toBe(403);
    expect((await remove(testNodeToken)).status).toBe(200);
    expect(storage.objects.size).toBe(0);
  });

  it('are taken away by anybody once nobody refreshes them', async () => {
    await store('locks', lock);
    nowMs += 31 * 60_000;
    expect((await remove(otherNodeToken)).status).toBe(200);
  });

  it('of the master stay, unless they are older than its start', async () => {
    const key = `repositories/3/locks/${nameOf(lock)}`;
    await new Promise((resolve) => setTimeout(resolve, 5));
    await storage.put(
      key,
      (async function* () {
        yield lock;
      })(),
      { signal: new AbortController().signal },
    );
    expect((await remove(testNodeToken)).status).toBe(403);
    storage.stat = async () => ({ key, sizeBytes: 6, modifiedAt: new Date(Date.now() - 60_000) });
    expect((await remove(testNodeToken)).status).toBe(200);
    expect(storage.objects.size).toBe(0);
  });
});

describe('deleting', () => {
  it('takes locks away and nothing else', async () => {
    const bytes = Buffer.from('content');
    for (const type of ['data', 'keys', 'snapshots', 'index', 'locks']) await store(type, bytes);
    for (const type of ['data', 'keys', 'snapshots', 'index']) {
      const answer = await ask('DELETE', `/r/3/${type}/${nameOf(bytes)}`);
      expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([
        403,
        'REPOSITORY_APPEND_ONLY',
      ]);
    }
    expect((await ask('DELETE', `/r/3/locks/${nameOf(bytes)}`)).status).toBe(200);
    expect((await ask('DELETE', `/r/3/locks/${nameOf(bytes)}`)).status).toBe(200);
    expect(storage.objects.size).toBe(4);
    expect(gateway.audits).toMatchObject([{ username: 'web-1', detail: 'REPOSITORY_APPEND_ONLY' }]);
  });

  it('deletes where that is allowed, and the room is free again', async () => {
    gateway.repositories.set('3', testRepository(3, { isAppendOnly: false, quotaBytes: 1000 }));
    const bytes = randomBytes(900);
    await store('data', bytes);
    expect((await ask('DELETE', `/r/3/data/${nameOf(bytes)}`)).status).toBe(200);
    expect(storage.objects.size).toBe(0);
    expect((await store('data', randomBytes(900))).status).toBe(200);
  });
});
