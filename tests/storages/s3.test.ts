/** The S3 storage against a real server: the conformance suite, wrong settings, broken networks, crashes. */

import { storageConformance } from '@backupx/engine/testing/storage-conformance';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { S3Connection } from '../../packages/engine/src/storages/s3/connection.ts';
import { sweepUploads } from '../../packages/engine/src/storages/s3/sweep-uploads.ts';
import { s3 } from '../../packages/engine/src/storages/s3.ts';
import { type RadosGateway, startRadosGateway } from '../servers/radosgw.ts';
import { type StallingProxy, startStallingProxy } from '../servers/stalling-proxy.ts';

const MIB = 1024 * 1024;
const signal = new AbortController().signal;

let server: RadosGateway;
beforeAll(async () => {
  server = await startRadosGateway();
}, 120_000);
afterAll(() => server?.stop());

function storageAt(changes: Record<string, unknown> = {}) {
  const { endpoint, bucket, accessKeyId, secretAccessKey } = server;
  return s3.create(
    s3.config.parse({
      endpoint,
      bucket,
      accessKeyId,
      secretAccessKey,
      forcePathStyle: true,
      prefix: 'own/',
      ...changes,
    }),
  );
}

async function* megabytes(count: number) {
  for (let i = 0; i < count; i++) yield Buffer.alloc(MIB, i);
}

/** A client of the server, for what the storage itself cannot do. */
const connect = () => new S3Connection({ ...server, region: 'us-east-1', forcePathStyle: true });

async function pendingUploads(): Promise<number> {
  const connection = connect();
  const { client, sdk } = await connection.open();
  const answer = await client.send(new sdk.ListMultipartUploadsCommand({ Bucket: server.bucket }));
  await connection.close();
  return answer.Uploads?.length ?? 0;
}

storageConformance('s3', async () => {
  const storage = storageAt({ prefix: '/conformance/mit umlaut ü/' });
  return { storage, cleanup: async () => storage.close?.() };
});

describe('s3 with wrong settings', () => {
  const put = (changes: Record<string, unknown>) => storageAt(changes).put('a', megabytes(1), { signal });

  it.each([
    ['secret key', { secretAccessKey: 'wrong' }],
    ['access key', { accessKeyId: 'nobody' }],
  ])('says STORAGE_PERMISSION for a wrong %s', async (_name, changes) => {
    const refused = { code: 'STORAGE_PERMISSION' };
    await expect(put(changes)).rejects.toMatchObject(refused);
    await expect(storageAt(changes).stat('a', signal)).rejects.toMatchObject(refused);
    await expect(storageAt(changes).delete('a', signal)).rejects.toMatchObject(refused);
    await expect(storageAt(changes).list('', signal)[Symbol.asyncIterator]().next()).rejects.toMatchObject(refused);
  });

  it('says STORAGE_CONFIG for a missing bucket', async () => {
    const changes = { bucket: 'no-such-bucket' };
    const refused = { code: 'STORAGE_CONFIG' };
    await expect(put(changes)).rejects.toMatchObject(refused);
    await expect(storageAt(changes).stat('a', signal)).rejects.toMatchObject(refused);
    await expect(storageAt(changes).delete('a', signal)).rejects.toMatchObject(refused);
    await expect(storageAt(changes).get('a', { signal })[Symbol.asyncIterator]().next()).rejects.toMatchObject(refused);
  });

  it('says STORAGE_UNREACHABLE when nothing listens', async () => {
    await expect(put({ endpoint: 'http://127.0.0.1:9' })).rejects.toMatchObject({ code: 'STORAGE_UNREACHABLE' });
  });
});

describe('s3 on a bad network', () => {
  let proxy: StallingProxy;
  beforeAll(async () => {
    proxy = await startStallingProxy(server.endpoint);
  });
  afterAll(() => proxy?.close());
  afterEach(() => {
    proxy.resume();
    proxy.cutAfter(null);
  });
  const overProxy = () => storageAt({ endpoint: proxy.endpoint });

  it('pulls at most 32 MiB ahead of a network that stands still, and can be cancelled then', async () => {
    const abort = new AbortController();
    let pulled = 0;
    const body = async function* () {
      for (const _ of Array(200)) {
        pulled += 1;
        if (pulled === 10) proxy.stall();
        yield Buffer.alloc(MIB);
      }
    };
    const outcome = expect(overProxy().put('stalled', body(), { signal: abort.signal })).rejects.toMatchObject({
      code: 'CANCELLED',
    });
    await expect.poll(() => pulled).toBeGreaterThanOrEqual(10);
    // Time to pull too much.
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect(pulled).toBeLessThanOrEqual(33);
    abort.abort();
    proxy.resume();
    await outcome;
    expect(await pendingUploads()).toBe(0);
  });

  it('goes on reading where a connection broke', async () => {
    await storageAt().put('broken-read', megabytes(20), { signal });
    const cutsBefore = proxy.cuts;
    proxy.cutAfter(5 * MIB);
    const chunks: Uint8Array[] = [];
    let isCutAgain = false;
    for await (const chunk of overProxy().get('broken-read', { signal, range: { start: MIB, end: 19 * MIB } })) {
      chunks.push(chunk);
      if (proxy.cuts === cutsBefore + 1 && !isCutAgain) {
        isCutAgain = true;
        proxy.cutAfter(3 * MIB);
      }
    }
    expect(proxy.cuts).toBe(cutsBefore + 2);
    const expected: Uint8Array[] = [];
    for await (const chunk of megabytes(20)) expected.push(chunk);
    expect(Buffer.concat(chunks).equals(Buffer.concat(expected.slice(1, 19)))).toBe(true);
  });

  it('does not mix two versions of an object', async () => {
    await storageAt().put('replaced', megabytes(20), { signal });
    proxy.cutAfter(5 * MIB);
    const read = async () => {
      let isReplaced = false;
      for await (const _ of overProxy().get('replaced', { signal })) {
        if (!isReplaced) await storageAt().put('replaced', megabytes(19), { signal });
        isReplaced = true;
      }
    };
    await expect(read()).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
  });
});

describe('s3 when things end early', () => {
  it.each(['the body fails', 'it is cancelled'])('leaves no pending parts when %s', async (how) => {
    const abort = new AbortController();
    const body = async function* () {
      yield* megabytes(30);
      if (how === 'the body fails') throw new Error('broken');
      abort.abort();
      yield* megabytes(30);
    };
    await expect(storageAt().put('early', body(), { signal: abort.signal })).rejects.toThrow();
    expect(await pendingUploads()).toBe(0);
    await expect(storageAt().stat('early', signal)).rejects.toMatchObject({ code: 'STORAGE_NOT_FOUND' });
  });

  it('clears up what a killed writer left, but nothing young and nothing of others', async () => {
    const connection = connect();
    const opened = await connection.open();
    for (const Key of ['own/tasks/crashed', 'others/upload']) {
      await opened.client.send(new opened.sdk.CreateMultipartUploadCommand({ Bucket: server.bucket, Key }));
    }
    const sweep = { ...opened, bucket: server.bucket, prefix: 'own/tasks/' };
    await storageAt().put('tasks/young', megabytes(1), { signal });
    expect(await pendingUploads()).toBe(2);
    await sweepUploads({ ...sweep, startedBefore: new Date(Date.now() + 60_000) });
    expect(await pendingUploads()).toBe(1);
    await sweepUploads({ ...sweep, prefix: 'others/', startedBefore: new Date(Date.now() + 60_000) });
    expect(await pendingUploads()).toBe(0);
    await connection.close();
  });

  it('fails cleanly within a minute when the server dies midway', async () => {
    const body = async function* () {
      for (let i = 0; i < 100; i++) {
        if (i === 20) await server.killGateway();
        yield Buffer.alloc(MIB, i);
      }
    };
    const startedMs = Date.now();
    await expect(storageAt().put('killed', body(), { signal })).rejects.toMatchObject({ code: 'STORAGE_UNREACHABLE' });
    expect(Date.now() - startedMs).toBeLessThan(60_000);
    await server.startGateway();
    await expect(storageAt().stat('killed', signal)).rejects.toMatchObject({ code: 'STORAGE_NOT_FOUND' });
    await storageAt().put('killed', megabytes(20), { signal });
    expect((await storageAt().stat('killed', signal)).sizeBytes).toBe(20 * MIB);
  });
});
