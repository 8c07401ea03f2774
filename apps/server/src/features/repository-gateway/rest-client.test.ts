/** The gateway and the engine's REST storage against each other, over memory and over a folder. */
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Storage } from '@backupx/engine/ports/storage';
import { createMemoryStorage } from '@backupx/engine/testing/memory-storage';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createRestStorage } from '../../../../../packages/engine/src/repository/rest-storage.ts';
import { localDisk } from '../../../../../packages/engine/src/storages/local-disk.ts';
import { startTestGateway, type TestGateway, testNodeToken, testRepository } from '../../connect-test-gateway.ts';

const MIB = 1024 * 1024;
const signal = new AbortController().signal;
const nameOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const packKey = (bytes: Uint8Array) => `data/${nameOf(bytes).slice(0, 2)}/${nameOf(bytes)}`;
const fails = (promise: Promise<unknown>, code: string) => expect(promise).rejects.toMatchObject({ code });

async function* inPieces(bytes: Uint8Array, size = 100_000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}
async function read(storage: Storage, key: string, range?: { start: number; end?: number }): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of storage.get(key, { signal, range })) chunks.push(chunk);
  return Buffer.concat(chunks);
}
async function keys(storage: Storage, prefix = ''): Promise<string[]> {
  const found: string[] = [];
  for await (const { key } of storage.list(prefix, signal)) found.push(key);
  return found.sort();
}

const folder = mkdtempSync(join(tmpdir(), 'backupx-gateway-'));
const places: [string, () => Storage][] = [
  ['memory', () => createMemoryStorage()],
  ['a folder', () => localDisk.create({ basePath: mkdtempSync(join(folder, 'base-')), masterRelay: false })],
];

describe.each(places)('a repository behind the gateway, in %s', (_place, createPlace) => {
  let gateway: TestGateway;
  let place: Storage;
  let remote: Storage;
  beforeEach(async () => {
    place = createPlace();
    gateway = await startTestGateway({ openStorage: () => place });
    gateway.repositories.set('3', testRepository(3));
    remote = createRestStorage({ url: `${gateway.url}/r/3/`, token: testNodeToken });
  });
  afterEach(async () => {
    await remote.close?.();
    await gateway.stop();
  });
  const put = (key: string, bytes: Uint8Array, storage = remote) =>
    storage.put(key, inPieces(bytes), { signal, sizeBytes: bytes.length });

  it('takes and gives files of every kind', async () => {
    const bytes = randomBytes(2 * MIB + 17);
    const small = bytes.subarray(0, 1000);
    const all = [
      'config',
      packKey(bytes),
      ...['keys', 'locks', 'snapshots', 'index'].map((type) => `${type}/${nameOf(small)}`),
    ];
    for (const key of all) await put(key, key === packKey(bytes) ? bytes : small);
    expect(await keys(remote)).toEqual(all.sort());
    expect(await keys(place)).toEqual(all.map((key) => `repositories/3/${key}`).sort());
    expect((await read(remote, packKey(bytes))).equals(bytes)).toBe(true);
    expect(
      (await read(remote, packKey(bytes), { start: MIB, end: MIB + 5 })).equals(bytes.subarray(MIB, MIB + 5)),
    ).toBe(true);
    expect(await read(remote, packKey(bytes), { start: bytes.length })).toHaveLength(0);
    expect(await remote.stat(packKey(bytes), signal)).toMatchObject({ sizeBytes: bytes.length });
    expect(gateway.stored.map(({ type }) => type)).toEqual(['config', 'data', 'keys', 'locks', 'snapshots', 'index']);
  });

  it('moves many packs at once', async () => {
    const packs = Array.from({ length: 24 }, () => randomBytes(MIB));
    await Promise.all(packs.map((pack) => put(packKey(pack), pack)));
    const back = await Promise.all(packs.map((pack) => read(remote, packKey(pack))));
    expect(back.every((pack, i) => packs[i]?.equals(pack))).toBe(true);
  });

  it('says why not', async () => {
    const bytes = randomBytes(5000);
    await put('config', bytes);
    await fails(put('config', randomBytes(5000)), 'REPOSITORY_EXISTS');
    await fails(put(`index/${nameOf(Buffer.from('other'))}`, bytes), 'STORAGE_FAILED');
    await put(`index/${nameOf(bytes)}`, bytes);
    await put(`index/${nameOf(bytes)}`, bytes);
    await fails(remote.delete(`index/${nameOf(bytes)}`, signal), 'REPOSITORY_APPEND_ONLY');
    await fails(remote.stat(`keys/${nameOf(bytes)}`, signal), 'STORAGE_NOT_FOUND');
    await fails(read(remote, `keys/${nameOf(bytes)}`), 'STORAGE_NOT_FOUND');
    gateway.repositories.set('3', testRepository(3, { quotaBytes: 6000, usedBytes: 3000 }));
    await fails(put(packKey(randomBytes(4000)), randomBytes(4000)), 'STORAGE_FULL');
    for (const [address, token] of [
      ['3', 'bxa_1_wrong'],
      ['4', testNodeToken],
    ]) {
      const stranger = createRestStorage({ url: `${gateway.url}/r/${address}/`, token });
      await fails(stranger.stat('config', signal), 'STORAGE_PERMISSION');
      await fails(put(packKey(bytes), bytes, stranger), 'STORAGE_PERMISSION');
      await stranger.close?.();
    }
    expect(await keys(place)).toHaveLength(2);
  });

  it('leaves nothing of an upload that was cancelled', async () => {
    const stop = new AbortController();
    const body = async function* () {
      yield randomBytes(MIB);
      stop.abort();
      yield randomBytes(MIB);
    };
    await fails(remote.put(packKey(randomBytes(1)), body(), { signal: stop.signal, sizeBytes: 2 * MIB }), 'CANCELLED');
    await expect.poll(() => keys(place)).toEqual([]);
  });
});

describe('back-pressure', () => {
  it('takes no more from a sender than the storage takes', async () => {
    const place = createMemoryStorage();
    let pulled = 0;
    place.put = async (_key, body, options) => {
      for await (const chunk of body) {
        pulled += chunk.byteLength;
        if (pulled > MIB) await new Promise((_resolve, reject) => options.signal.addEventListener('abort', reject));
      }
    };
    const gateway = await startTestGateway({ openStorage: () => place });
    gateway.repositories.set('3', testRepository(3));
    const socket = connect(gateway.port, '127.0.0.1');
    await once(socket, 'connect');
    let sent = 0;
    const head = `POST /r/3/data/${'a'.repeat(64)} HTTP/1.1\r\nHost: x\r\nX-Agent-Token: ${testNodeToken}\r\n`;
    socket.write(`${head}Content-Length: ${200 * MIB}\r\n\r\n`);
    for (let i = 0; i < 200; i++)
      socket.write(Buffer.alloc(MIB), () => {
        sent += MIB;
      });
    await expect.poll(() => pulled).toBeGreaterThan(MIB);
    // Time to take too much.
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(pulled).toBeLessThan(2 * MIB);
    // What the kernel holds on both sides.
    expect(sent).toBeLessThan(32 * MIB);
    socket.destroy();
    await gateway.stop();
  });

  it('reads no more from the storage than a client takes', async () => {
    const place = createMemoryStorage();
    let given = 0;
    let isClosed = false;
    place.stat = async (key) => ({ key, sizeBytes: 200 * MIB, modifiedAt: null });
    place.get = async function* () {
      try {
        for (; given < 200 * MIB; given += MIB) yield new Uint8Array(MIB);
      } finally {
        isClosed = true;
      }
    };
    const gateway = await startTestGateway({ openStorage: () => place });
    gateway.repositories.set('3', testRepository(3));
    const socket = connect(gateway.port, '127.0.0.1');
    await once(socket, 'connect');
    socket.pause();
    socket.write(`GET /r/3/config HTTP/1.1\r\nHost: x\r\nX-Agent-Token: ${testNodeToken}\r\n\r\n`);
    await expect.poll(() => given).toBeGreaterThan(0);
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(given).toBeLessThan(32 * MIB);
    socket.destroy();
    await expect.poll(() => isClosed).toBe(true);
    await gateway.stop();
  });
});

describe('a folder', () => {
  it('keeps no trace of failed uploads', async () => {
    const basePath = mkdtempSync(join(folder, 'trace-'));
    const gateway = await startTestGateway({ openStorage: () => localDisk.create({ basePath, masterRelay: false }) });
    gateway.repositories.set('3', testRepository(3));
    const answer = await fetch(`${gateway.url}/r/3/data/${'ab'.repeat(32)}`, {
      method: 'POST',
      headers: { 'x-agent-token': testNodeToken },
      body: randomBytes(MIB),
    });
    expect(answer.status).toBe(400);
    expect(readdirSync(basePath)).toEqual([]);
    await gateway.stop();
    rmSync(folder, { recursive: true, force: true });
  });
});
