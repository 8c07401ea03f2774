import { createHash, randomBytes } from 'node:crypto';
import http from 'node:http';
import net from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { replayable, type Storage } from '../ports/storage.ts';
import { createRestStorage } from './rest-storage.ts';

type Answer = (request: http.IncomingMessage, response: http.ServerResponse) => unknown;

const nameOf = (bytes: Uint8Array | string) => createHash('sha256').update(bytes).digest('hex');
const signal = new AbortController().signal;
const V2 = 'application/vnd.x.restic.rest.v2';

let server: http.Server;
let base: string;
let answer: Answer;
let seen: { method: string; url: string; headers: http.IncomingHttpHeaders }[];
let connections: number;
let storage: Storage;

beforeEach(async () => {
  seen = [];
  connections = 0;
  server = http.createServer((request, response) => {
    seen.push({ method: request.method ?? '', url: request.url ?? '', headers: request.headers });
    void answer(request, response);
  });
  server.on('connection', () => {
    connections += 1;
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${(server.address() as net.AddressInfo).port}`;
  storage = createRestStorage({ url: `${base}/r/3`, token: 'bxa_1_secret' });
});
afterEach(async () => {
  await storage.close?.();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

async function* once(...chunks: Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks;
}
async function read(key: string, range?: { start: number; end?: number }): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of storage.get(key, { signal, range })) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}
async function list(prefix: string) {
  const found: { key: string; sizeBytes: number; modifiedAt: Date | null }[] = [];
  for await (const object of storage.list(prefix, signal)) found.push(object);
  return found;
}
const key = `data/ab/ab${'0'.repeat(62)}`;
const fails = (promise: Promise<unknown>, code: string) => expect(promise).rejects.toMatchObject({ code });
const say =
  (status: number, body = '', headers: http.OutgoingHttpHeaders = {}): Answer =>
  (request, response) => {
    request.resume();
    response.writeHead(status, headers).end(body);
  };

describe('addresses', () => {
  it.each(['ftp://host/', 'host/r/3', 'http://host/r/?x=1', 'rest:', ''])('refuses %s', (url) => {
    expect(() => createRestStorage({ url })).toThrow(expect.objectContaining({ code: 'STORAGE_CONFIG' }));
  });

  it('sends what the address or the settings hold, and nothing of it in paths', async () => {
    answer = say(200, '', { 'content-length': 0 });
    const url = base.replace('http://', 'rest:http://us%40er:pa%3Ass@');
    const percent = base.replace('http://', 'rest:http://ann:50%-off%40home@');
    for (const options of [{ url: `${url}/x/` }, { url, user: 'other' }, { url: base }, { url: percent }]) {
      const one = createRestStorage(options);
      await one.delete('config', signal);
      await one.close?.();
    }
    expect(seen.map(({ url, headers }) => [url, headers.authorization, headers['x-agent-token']])).toEqual([
      ['/x/config', `Basic ${btoa('us@er:pa:ss')}`, undefined],
      ['/config', `Basic ${btoa('other:pa:ss')}`, undefined],
      ['/config', undefined, undefined],
      ['/config', `Basic ${btoa('ann:50%-off@home')}`, undefined],
    ]);
  });

  it.each([
    'other',
    'config/x',
    'data/x',
    `data/ac/ab${'0'.repeat(62)}`,
    `keys/${'A'.repeat(64)}`,
    'keys/',
    '../config',
  ])('knows no key %s', async (wrong) => {
    await fails(storage.put(wrong, once(), { signal }), 'STORAGE_INVALID_KEY');
    await fails(read(wrong), 'STORAGE_INVALID_KEY');
    await fails(storage.stat(wrong, signal), 'STORAGE_INVALID_KEY');
    await fails(storage.delete(wrong, signal), 'STORAGE_INVALID_KEY');
    expect(seen).toEqual([]);
  });
});

describe('errors', () => {
  const ours = (code: string) => JSON.stringify({ code, message: 'in words' });
  it.each([
    [401, '', 'STORAGE_PERMISSION'],
    [403, '', 'STORAGE_PERMISSION'],
    [403, ours('REPOSITORY_APPEND_ONLY'), 'REPOSITORY_APPEND_ONLY'],
    [403, ours('REPOSITORY_FORBIDDEN'), 'STORAGE_PERMISSION'],
    [404, '', 'STORAGE_NOT_FOUND'],
    [507, '<html>', 'STORAGE_FULL'],
    [301, '', 'STORAGE_CONFIG'],
    [429, '', 'STORAGE_UNREACHABLE'],
    [502, ours('STORAGE_CONFIG'), 'STORAGE_CONFIG'],
    [502, '', 'STORAGE_UNREACHABLE'],
    [500, ours('INTERNAL'), 'STORAGE_FAILED'],
    [400, '', 'STORAGE_FAILED'],
  ])('understands %i %s', async (status, body, code) => {
    answer = say(status, body);
    await fails(read(key), code);
    const put = storage.put(key, once(Buffer.from('x')), { signal, sizeBytes: 1 });
    await fails(put, code);
    if (status === 404) await storage.delete(key, signal);
    else await fails(storage.delete(key, signal), code);
  });

  it('tells a server that is away, and one that hangs up', async () => {
    const away = createRestStorage({ url: 'http://127.0.0.1:1/' });
    await fails(away.stat('config', signal), 'STORAGE_UNREACHABLE');
    answer = (request) => request.socket.destroy();
    await fails(read(key), 'STORAGE_UNREACHABLE');
    await fails(storage.put(key, once(Buffer.from('x')), { signal }), 'STORAGE_UNREACHABLE');
  });

  it('notices a file that breaks off', async () => {
    answer = (_request, response) => {
      response.writeHead(200, { 'content-length': 10 });
      response.write('12345', () => response.destroy());
    };
    await fails(read(key), 'STORAGE_UNREACHABLE');
  });

  it('is cancelled, whatever the server does', async () => {
    const stop = new AbortController();
    answer = () => stop.abort();
    await fails(storage.stat(key, stop.signal), 'CANCELLED');
    const again = new AbortController();
    answer = () => again.abort();
    await fails(storage.put(key, once(randomBytes(10)), { signal: again.signal, sizeBytes: 10 }), 'CANCELLED');
    await fails(storage.put(key, once(), { signal: again.signal }), 'CANCELLED');
  });
});

describe('put', () => {
  let bodies: Buffer[];
  const take: Answer = async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    bodies.push(Buffer.concat(chunks));
    response.end();
  };
  beforeEach(() => {
    bodies = [];
    answer = take;
  });

  it('streams a body whose chunks share their memory', async () => {
    const chunk = Buffer.alloc(100_000);
    const body = async function* () {
      for (let i = 0; i < 30; i++) yield chunk.fill(i);
    };
    await storage.put(key, body(), { signal, sizeBytes: 3_000_000 });
    await storage.put(key, body(), { signal });
    const whole = Buffer.concat(Array.from({ length: 30 }, (_, i) => Buffer.alloc(100_000, i)));
    expect(bodies.map((bytes) => bytes.equals(whole))).toEqual([true, true]);
    expect(seen[0]).toMatchObject({
      method: 'POST',
      url: `/r/3/data/${key.slice(8)}`,
      headers: { 'content-length': '3000000', 'x-agent-token': 'bxa_1_secret' },
    });
    expect(connections).toBe(1);
  });

  it('does not hold more than it may of a body of unknown size', async () => {
    const chunk = Buffer.alloc(1024 * 1024);
    let pulled = 0;
    const body = async function* () {
      for (; pulled < 100; pulled++) yield chunk;
    };
    await fails(storage.put(key, body(), { signal }), 'NOT_SUPPORTED');
    expect(pulled).toBeLessThan(40);
    expect(seen).toEqual([]);
  });

  it('throws what the body throws', async () => {
    const failure = new Error('disk on fire');
    const body = async function* () {
      yield Buffer.alloc(10);
      throw failure;
    };
    await expect(storage.put(key, body(), { signal, sizeBytes: 20 })).rejects.toBe(failure);
    await expect(storage.put(key, body(), { signal })).rejects.toBe(failure);
  });

  it.each([5, 15])('refuses a body that is not the 10 bytes it was said to be but %i', async (length) => {
    await fails(storage.put(key, once(Buffer.alloc(length)), { signal, sizeBytes: 10 }), 'STORAGE_FAILED');
  });

  it('hears a refusal before everything was sent', async () => {
    answer = (_request, response) => response.writeHead(507).end();
    let pulled = 0;
    const body = async function* () {
      for (; pulled < 1000; pulled++) yield Buffer.alloc(1024 * 1024);
    };
    await fails(storage.put(key, body(), { signal, sizeBytes: 1000 * 1024 * 1024 }), 'STORAGE_FULL');
    expect(pulled).toBeLessThan(200);
  });

  it('takes a file that is there already for written', async () => {
    answer = (request, response) =>
      request.method === 'HEAD'
        ? say(200, '', { 'content-length': 3 })(request, response)
        : say(403, '{"code":"INVALID_INPUT","message":"exists"}')(request, response);
    await storage.put(
      key,
      replayable(() => once(Buffer.from('abc'))),
      { signal, sizeBytes: 3 },
    );
    await fails(storage.put(key, once(Buffer.from('abcd')), { signal, sizeBytes: 4 }), 'STORAGE_PERMISSION');
    answer = (request, response) => {
      if (request.method === 'POST') say(403)(request, response);
      else say(200, request.method === 'GET' ? 'abc' : '', { 'content-length': 3 })(request, response);
    };
    await storage.put('config', once(Buffer.from('abc')), { signal, sizeBytes: 3 });
    await fails(storage.put('config', once(Buffer.from('abd')), { signal, sizeBytes: 3 }), 'REPOSITORY_EXISTS');
  });
});

describe('get', () => {
  it.each([
    [undefined, '0123456789', 'bytes=0-'],
    [{ start: 3 }, '3456789', 'bytes=3-'],
    [{ start: 3, end: 5 }, '34', 'bytes=3-4'],
    [{ start: 8, end: 50 }, '89', 'bytes=8-49'],
  ])('reads %j from servers that know ranges and from those that do not', async (range, expected, header) => {
    answer = (_request, response) => response.writeHead(206).end(expected);
    expect(await read(key, range)).toBe(expected);
    expect(seen[0]?.headers.range).toBe(header);
    answer = (_request, response) => {
      response.write('01234');
      response.end('56789');
    };
    expect(await read(key, range)).toBe(expected);
  });

  it('reads on where the connection broke', async () => {
    const bytes = randomBytes(1_000_000);
    answer = (request, response) => {
      const start = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1]);
      response.writeHead(206, { 'content-length': bytes.length - start });
      // Every other attempt brings nothing.
      if (seen.length % 2 === 0) response.flushHeaders();
      else response.write(bytes.subarray(start, start + 300_000));
      setTimeout(
        () => (start + 300_000 >= bytes.length ? response.end(bytes.subarray(start + 300_000)) : response.destroy()),
        20,
      );
    };
    const chunks: Uint8Array[] = [];
    for await (const chunk of storage.get(key, { signal })) chunks.push(chunk);
    expect(Buffer.concat(chunks).equals(bytes)).toBe(true);
    expect(seen.length).toBeGreaterThan(5);
  });

  it('yields nothing past the end', async () => {
    answer = say(416);
    expect(await read(key, { start: 10 })).toBe('');
    answer = say(200, '', { 'content-length': 10 });
    expect(await read(key, { start: 4, end: 4 })).toBe('');
    expect(seen.at(-1)?.method).toBe('HEAD');
  });

  it('closes the connection when the reader stops early', async () => {
    let isClosed = false;
    answer = (_request, response) => {
      response.on('close', () => {
        isClosed = true;
      });
      response.write(Buffer.alloc(100_000));
    };
    for await (const _chunk of storage.get(key, { signal })) break;
    await expect.poll(() => isClosed).toBe(true);
  });
});

describe('list', () => {
  const names = ['a', 'b', 'c'].map(nameOf);
  const listed =
    (path: string, body: string, type = V2): Answer =>
    (request, response) => {
      if (request.url === `/r/3/${path}`) response.setHeader('content-type', type).end(body);
      else if (request.url === '/r/3/config') response.setHeader('content-length', 155).end();
      else response.writeHead(404).end();
    };

  it('reads version 2, with times where they are told', async () => {
    const items = [
      { name: names[0], size: 5 },
      { name: 'junk', size: 5 },
      { name: names[1], size: 6, modified: '2026-01-02T03:04:05.000Z' },
    ];
    answer = listed('locks/', JSON.stringify(items, null, 1));
    expect(await list('locks/')).toEqual([
      { key: `locks/${names[0]}`, sizeBytes: 5, modifiedAt: null },
      { key: `locks/${names[1]}`, sizeBytes: 6, modifiedAt: new Date('2026-01-02T03:04:05Z') },
    ]);
    expect(seen[0]?.headers.accept).toBe(V2);
  });

  it('reads version 1 and asks for the sizes', async () => {
    answer = (request, response) => {
      if (request.method === 'HEAD') response.setHeader('content-length', 7).end();
      else listed('data/', JSON.stringify(names), 'application/json')(request, response);
    };
    const found = await list('data/');
    expect(found.map(({ sizeBytes }) => sizeBytes)).toEqual([7, 7, 7]);
    expect(found.map((object) => object.key)).toEqual(names.map((name) => `data/${name.slice(0, 2)}/${name}`));
  });

  it('lists everything, or what begins with a prefix', async () => {
    answer = listed('data/', JSON.stringify(names.map((name) => ({ name, size: 1 }))));
    expect((await list('')).map((object) => object.key)).toEqual([
      'config',
      ...names.map((name) => `data/${name.slice(0, 2)}/${name}`),
    ]);
    expect(await list(`data/${names[1]?.slice(0, 2)}/`)).toHaveLength(1);
    expect((await list('con')).map((object) => object.sizeBytes)).toEqual([155]);
    expect(await list('nothing')).toEqual([]);
    await fails(list('../'), 'STORAGE_INVALID_KEY');
  });

  it.each(['[]', 'null', '', ' [ ] \n'])('takes %j for an empty list', async (body) => {
    answer = listed('index/', body);
    expect(await list('index/')).toEqual([]);
  });

  it.each(['<html>"x"</html>', '{"code":"OK"}', '[{"name":', `["${names[0]}"`, '[{x}]'])('refuses %s', async (body) => {
    answer = listed('index/', body);
    await fails(list('index/'), 'STORAGE_CONFIG');
  });

  it('does not take a failure of rclone, or an answer that broke off, for an empty list', async () => {
    answer = (_request, response) => response.writeHead(404, { server: 'rclone/v1.65.0' }).end('object not found');
    await fails(list('snapshots/'), 'STORAGE_FAILED');
    answer = (_request, response) => response.writeHead(404, { server: 'nginx' }).end();
    expect(await list('snapshots/')).toEqual([]);
    answer = ({ socket }) => socket.end('HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n');
    await fails(list('snapshots/'), 'STORAGE_CONFIG');
  });

  it('reads a list that comes in pieces', async () => {
    const text = JSON.stringify(Array.from({ length: 20_000 }, (_, i) => ({ name: nameOf(`${i}`), size: i })));
    answer = async (_request, response) => {
      for (let at = 0; at < text.length; at += 77_777) {
        response.write(text.slice(at, at + 77_777));
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
      response.end();
    };
    const found = await list('snapshots/');
    expect(found).toHaveLength(20_000);
    expect(found.at(-1)).toMatchObject({ key: `snapshots/${nameOf('19999')}`, sizeBytes: 19_999 });
  });
});

describe('through a proxy', () => {
  it('goes by CONNECT, keeps the way open, and says what the proxy says', async () => {
    answer = say(200, '', { 'content-length': 4 });
    const asked: string[] = [];
    const proxy = http.createServer();
    proxy.on('connect', (request, socket: net.Socket) => {
      asked.push(`${request.url} ${request.headers['proxy-authorization']}`);
      const [host, port] = (request.url ?? '').split(':');
      const onward = net.connect(Number(port), host, () => {
        socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
        onward.pipe(socket).pipe(onward);
      });
      for (const end of [socket, onward]) end.on('error', () => {});
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    const proxyUrl = `http://user:p%40s%@127.0.0.1:${(proxy.address() as net.AddressInfo).port}`;
    const proxied = createRestStorage({ url: base, proxyUrl });
    expect((await proxied.stat('config', signal)).sizeBytes).toBe(4);
    expect((await proxied.stat('config', signal)).sizeBytes).toBe(4);
    expect(asked).toEqual([`${base.slice(7)} Basic ${btoa('user:p@s%')}`]);
    await proxied.close?.();
    proxy.removeAllListeners('connect');
    proxy.on('connect', (_request, socket) => socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n'));
    const refused = createRestStorage({ url: base, proxyUrl });
    await expect(refused.stat('config', signal)).rejects.toMatchObject({
      code: 'STORAGE_UNREACHABLE',
      message: expect.stringContaining('407'),
    });
    proxy.closeAllConnections();
    proxy.close();
  });
});
