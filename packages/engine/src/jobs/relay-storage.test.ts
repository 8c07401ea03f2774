import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RelaySettings } from '../ports/engine.ts';
import { filesSource } from '../sources/files/files-source.ts';
import { backupJob, createJobFixture, testTarget } from '../testing/job-fixture.ts';
import { createRelayStorage } from './relay-storage.ts';
import { runBackup } from './run-backup.ts';

type Answer = (request: http.IncomingMessage, response: http.ServerResponse, body: Buffer) => void;

let server: http.Server;
let relay: RelaySettings;
let answer: Answer;
let seen: { method?: string; url?: string; headers: http.IncomingHttpHeaders; body: Buffer }[];
let tempDir: string;
const signal = new AbortController().signal;

const envelope = (data: unknown) => JSON.stringify({ code: 'OK', message: 'ok', data });
const sha256 = (body: Buffer) => createHash('sha256').update(body).digest('hex');
const storeIt: Answer = (_request, response, body) =>
  response.end(envelope({ storagePath: 'k', fileSize: body.byteLength, checksum: sha256(body) }));

beforeEach(async () => {
  tempDir = mkdtempSync(path.join(tmpdir(), 'backupx-relay-'));
  seen = [];
  answer = storeIt;
  server = http.createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    seen.push({ method: request.method, url: request.url, headers: request.headers, body });
    answer(request, response, body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as net.AddressInfo;
  relay = { masterUrl: `http://127.0.0.1:${port}`, token: 'secret', needsKnownSize: false };
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  rmSync(tempDir, { recursive: true, force: true });
});

const open = (more: Partial<RelaySettings> = {}) =>
  createRelayStorage({
    relay: { ...relay, ...more },
    purpose: { target: { ...testTarget(5), viaMaster: true }, recordId: 9, restoreRecordId: 3 },
    tempDir,
  });

async function* body(): AsyncGenerator<Uint8Array> {
  const block = new Uint8Array(100_000);
  for (let index = 0; index < 20; index += 1) yield block.fill(index);
}
const whole = Buffer.concat(Array.from({ length: 20 }, (_, index) => Buffer.alloc(100_000, index)));

describe('upload', () => {
  it('streams the bytes with token and key', async () => {
    await open().put('tasks/1/a.tar', body(), { signal });
    expect(seen[0]).toMatchObject({ method: 'PUT', url: '/api/agent/records/9/artifacts/5' });
    expect(seen[0]?.headers).toMatchObject({
      'x-agent-token': 'secret',
      'x-backupx-object-key': 'tasks/1/a.tar',
      'transfer-encoding': 'chunked',
    });
    expect(seen[0]?.body.equals(whole)).toBe(true);
  });

  it('tells size and checksum first to masters that want them, and leaves no spool', async () => {
    await open({ needsKnownSize: true }).put('a', body(), { signal });
    expect(seen[0]?.headers).toMatchObject({
      'content-length': String(whole.byteLength),
      'x-backupx-sha256': sha256(whole),
    });
    expect(readdirSync(tempDir)).toEqual([]);
  });

  it('does not believe another checksum', async () => {
    answer = (_request, response, got) =>
      response.end(envelope({ storagePath: 'k', fileSize: got.byteLength, checksum: 'f'.repeat(64) }));
    await expect(open().put('a', body(), { signal })).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
  });

  it('passes on what the master says', async () => {
    answer = (_request, response) => {
      response.statusCode = 507;
      response.end(JSON.stringify({ code: 'STORAGE_FULL', message: 'no room' }));
    };
    await expect(open().put('a', body(), { signal })).rejects.toMatchObject({
      code: 'STORAGE_FULL',
      params: { reason: 'no room' },
    });
    answer = (_request, response) => response.end('<html>a proxy</html>');
    await expect(open().put('a', body(), { signal })).rejects.toMatchObject({ code: 'MASTER_WRONG_CONTENT' });
  });

  it('hears a refusal before everything was sent, and stops', async () => {
    server.removeAllListeners('request');
    server.on('request', (_request, response) => {
      response.statusCode = 403;
      response.end(JSON.stringify({ code: 'BACKUP_RECORD_FORBIDDEN', message: 'not yours' }));
    });
    let isClosed = false;
    async function* endless() {
      try {
        for (;;) {
          yield new Uint8Array(100_000);
          await new Promise((resolve) => setTimeout(resolve, 1));
        }
      } finally {
        isClosed = true;
      }
    }
    await expect(open().put('a', endless(), { signal })).rejects.toMatchObject({ code: 'BACKUP_RECORD_FORBIDDEN' });
    await expect.poll(() => isClosed).toBe(true);
  });

  it('passes on the failure of the body and cuts the upload off', async () => {
    async function* failing() {
      yield new Uint8Array(10);
      throw new Error('the source broke');
    }
    await expect(open().put('a', failing(), { signal })).rejects.toThrow('the source broke');
    expect(seen).toEqual([]);
  });

  it('says when nobody is there', async () => {
    const put = open({ masterUrl: 'http://127.0.0.1:1' }).put('a', body(), { signal });
    await expect(put).rejects.toMatchObject({ code: 'MASTER_UNREACHABLE' });
  });

  it('is cancelled', async () => {
    const abort = new AbortController();
    answer = () => abort.abort();
    await expect(open().put('a', body(), { signal: abort.signal })).rejects.toMatchObject({ code: 'CANCELLED' });
  });
});

describe('download', () => {
  it('streams the artifact of the restore', async () => {
    answer = (_request, response) => response.end(whole);
    const chunks: Uint8Array[] = [];
    for await (const chunk of open().get('ignored', { signal })) chunks.push(chunk);
    expect(seen[0]?.url).toBe('/api/agent/restores/3/artifact');
    expect(Buffer.concat(chunks).equals(whole)).toBe(true);
  });

  it('notices a connection that is cut off', async () => {
    answer = (_request, response) => {
      response.writeHead(200, { 'content-length': '1000000' });
      response.write(Buffer.alloc(1000), () => response.destroy());
    };
    const read = async () => {
      for await (const _ of open().get('a', { signal }));
    };
    await expect(read()).rejects.toMatchObject({ code: 'MASTER_UNREACHABLE' });
  });
});

describe('proxy', () => {
  it('goes through a CONNECT tunnel', async () => {
    let tunnels = 0;
    const proxy = http.createServer();
    proxy.on('connect', (request, client) => {
      tunnels += 1;
      const [host, port] = (request.url ?? '').split(':');
      const upstream = net.connect(Number(port), host, () => {
        client.write('HTTP/1.1 200 OK\r\n\r\n');
        upstream.pipe(client).pipe(upstream);
      });
      for (const socket of [client, upstream]) socket.on('error', () => {});
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    const { port } = proxy.address() as net.AddressInfo;
    await open({ proxyUrl: `http://127.0.0.1:${port}` }).put('a', body(), { signal });
    expect(tunnels).toBe(1);
    expect(seen[0]?.body.equals(whole)).toBe(true);
    proxy.closeAllConnections();
    proxy.close();
  });
});

describe('a backup through the master', () => {
  it('keeps to the bandwidth and says where the bytes went', async () => {
    const source = path.join(tempDir, 'data');
    mkdirSync(source);
    writeFileSync(path.join(source, 'a'), Buffer.alloc(150_000, 'a'));
    const fixture = createJobFixture({ storages: {}, sources: [filesSource] });
    const target = { ...testTarget(5), viaMaster: true };
    const job = backupJob([source], { targets: [target], compression: 'none', bandwidthBytesPerSecond: 200_000 });
    const startMs = performance.now();
    const result = await runBackup(job, { ...fixture.context, relay });
    expect(performance.now() - startMs).toBeGreaterThan(600);
    expect(result.targets).toMatchObject([{ targetId: 5, status: 'success', viaMaster: true }]);
    rmSync(fixture.context.tempDir, { recursive: true, force: true });
  });
});
