/** Stock restic as a client of the master's REST server, in front of a folder and of an S3 server. */
import { createHash, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import net from 'node:net';
import { createEngine } from '@backupx/engine';
import type { Engine } from '@backupx/engine/ports/engine';
import { silentReporter } from '@backupx/engine/ports/reporter';
import type { Storage } from '@backupx/engine/ports/storage';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  startTestGateway,
  type TestGateway,
  testNodeToken,
  testRepository,
} from '../../apps/server/src/connect-test-gateway.ts';
import { initRepository } from '../../packages/engine/src/repository/init-repository.ts';
import { openRepository } from '../../packages/engine/src/repository/open-repository.ts';
import { createRestStorage } from '../../packages/engine/src/repository/rest-storage.ts';
import { listSnapshots } from '../../packages/engine/src/repository/snapshots.ts';
import { localDisk } from '../../packages/engine/src/storages/local-disk.ts';
import { S3Connection } from '../../packages/engine/src/storages/s3/connection.ts';
import { s3 } from '../../packages/engine/src/storages/s3.ts';
import { type RadosGateway, startRadosGateway } from '../servers/radosgw.ts';
import { compareTrees } from '../support/compare-trees.ts';
import { makeNoise, makeTree } from '../support/make-tree.ts';
import { backup, initJob, type JobRunner, repositoryAt, restore } from '../support/repository.ts';
import { restic as debian, forEachRestic, type Restic } from '../support/restic.ts';
import { makeWorkFolder } from '../support/work-folder.ts';

const MIB = 1024 * 1024;
const password = 'told to nobody but the client';
const signal = new AbortController().signal;
const nameOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

/** Where the gateway keeps things in one of the suites. */
interface Place {
  open(): Storage;
  start?(): Promise<void>;
  stop?(): Promise<void>;
}

function declareClient(restic: Restic, place: Place): void {
  const work = makeWorkFolder('gateway');
  const source = work.at('source');
  let gateway: TestGateway;
  const repository = (name: string, token?: string) => restic.open(gateway.restic(name, token), password);
  const keysOf = async (prefix: string): Promise<string[]> => {
    const storage = place.open();
    const keys: string[] = [];
    for await (const { key } of storage.list(prefix, signal)) keys.push(key);
    await storage.close?.();
    return keys;
  };

  beforeAll(async () => {
    await place.start?.();
    gateway = await startTestGateway({ openStorage: () => place.open() });
    gateway.repositories.set('own', testRepository(1));
    gateway.repositories.set('foreign-one', testRepository(2));
    gateway.repositories.set('free', testRepository(3, { isAppendOnly: false, prefix: 'free' }));
    gateway.repositories.set('small', testRepository(4, { quotaBytes: 3 * MIB }));
    gateway.repositories.set('ours', testRepository(5));
    makeTree(source, { files: 400 });
    writeFileSync(work.at('source', 'noise'), makeNoise(24 * MIB, 7));
  });
  afterAll(async () => {
    await gateway?.stop();
    await place.stop?.();
    work.remove();
  });

  it('makes a repository, backs up twice, checks and restores', async () => {
    const own = repository('own');
    await own.ok(['init']);
    await own.ok(['backup', source]);
    writeFileSync(work.at('source', 'more'), makeNoise(3 * MIB, 8));
    await own.ok(['backup', source]);
    await own.mustBeClean();
    await own.ok(['restore', 'latest', '--target', work.at('restored')]);
    expect(compareTrees(source, work.at('restored', source), { isCheckingSparse: false })).toEqual([]);
    expect(await own.json(['snapshots'])).toHaveLength(2);
    const arrivals = gateway.stored.filter(({ type }) => type === 'snapshots');
    expect(arrivals.map(({ repositoryId, caller }) => [repositoryId, caller])).toEqual([
      [1, 'web-1'],
      [1, 'web-1'],
    ]);
    expect(gateway.opened()).toBe(1);
  });

  it('is not made twice', async () => {
    expect((await repository('own').run(['init'])).status).not.toBe(0);
    expect(await repository('own').json(['snapshots'])).toHaveLength(2);
  });

  it('forgets nothing where only adding is allowed', async () => {
    const own = repository('own');
    // The old client asks again for most of a minute; the current one is heard to its end.
    const stopAt = restic.isModern ? undefined : /403/;
    const forgotten = await own.run(['forget', '--keep-last', '1', '--prune'], { stopAt });
    expect(forgotten.status).not.toBe(0);
    expect(forgotten.stderr).toContain('403');
    await own.ok(['unlock']);
    expect(await own.json(['snapshots'])).toHaveLength(2);
    expect(gateway.audits).toContainEqual(
      expect.objectContaining({ detail: 'REPOSITORY_APPEND_ONLY', username: 'web-1' }),
    );
    await own.mustBeClean();
  });

  it.each([
    ['a wrong token', 'own', 'bxa_1_wrong', /401/],
    ['a repository of somebody else', 'foreign-one', undefined, /403/],
    ['a repository that does not exist', 'nowhere', undefined, /403/],
  ])('refuses %s', async (_what, name, token, status) => {
    const result = await repository(name, token).run(['snapshots']);
    expect(result.status).not.toBe(0);
    expect(result.stderr).toMatch(status);
    expect((await repository(name, token).run(['init'])).status).not.toBe(0);
    expect(await keysOf('repositories/2/')).toEqual([]);
  });

  it('forgets and prunes where that is allowed', async () => {
    const free = repository('free');
    await free.ok(['init']);
    await free.ok(['backup', source]);
    await free.ok(['backup', work.at('source', 'd1')]);
    const before = await keysOf('free/data/');
    await free.ok(['forget', '--keep-last', '1', '--group-by', '', '--prune', '--max-unused', '0']);
    expect((await keysOf('free/data/')).length).toBeLessThan(before.length);
    await free.mustBeClean();
  });

  it('stops at the quota and stays whole', async () => {
    const small = repository('small');
    await small.ok(['init']);
    await small.ok(['backup', work.at('source', 'd1')]);
    // The old client tries again for a quarter of an hour.
    const stopAt = restic.isModern ? undefined : /507/;
    const full = await small.run(['backup', source], { stopAt });
    expect(full.status).not.toBe(0);
    expect(full.stderr).toContain('507');
    expect(
      gateway.stored.filter((file) => file.repositoryId === 4).reduce((sum, file) => sum + file.sizeBytes, 0),
    ).toBeLessThan(4 * MIB);
    await small.mustBeClean();
    expect(await small.json(['snapshots'])).toHaveLength(1);
  });

  it('leaves nothing of uploads that are wrong or break off', async () => {
    const before = await keysOf('');
    const bytes = randomBytes(20 * MIB);
    const wrong = await fetch(`${gateway.url}/r/own/data/${nameOf(randomBytes(1))}`, {
      method: 'POST',
      headers: { 'x-agent-token': testNodeToken },
      body: bytes,
    });
    expect(wrong.status).toBe(400);
    const socket = net.connect(gateway.port, '127.0.0.1');
    const head = `POST /r/own/data/${nameOf(bytes)} HTTP/1.1\r\nHost: x\r\nX-Agent-Token: ${testNodeToken}\r\n`;
    socket.write(`${head}Content-Length: ${bytes.length}\r\n\r\n`);
    await new Promise((resolve) => socket.write(bytes.subarray(0, 18 * MIB), resolve));
    await new Promise((resolve) => setTimeout(resolve, 500));
    socket.destroy();
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(await keysOf('')).toEqual(before);
    await repository('own').mustBeClean();
  });

  it('serves a repository that we have made, and we read what restic writes', async () => {
    const storage = createRestStorage({ url: `${gateway.url}/r/ours/`, token: testNodeToken });
    const here = { storage, prefix: '', label: 'ours' };
    const created = '2026-01-02T03:04:05Z';
    await initRepository(here, { password, hostname: 'web-1', username: 'root', created }, signal);
    const ours = repository('ours');
    await ours.ok(['backup', work.at('source', 'd2')]);
    await ours.mustBeClean();
    const opened = await openRepository(here, { password }, signal);
    expect((await listSnapshots(opened, signal)).map(({ paths }) => paths)).toEqual([[work.at('source', 'd2')]]);
    await storage.close?.();
  });
}

describe('an agent of ours behind the gateway', () => {
  const work = makeWorkFolder('gateway-agent');
  let gateway: TestGateway;
  let engine: Engine;
  beforeAll(async () => {
    makeTree(work.at('source'), { files: 300 });
    writeFileSync(work.at('source', 'noise'), makeNoise(50 * MIB, 9));
    gateway = await startTestGateway({
      openStorage: () => localDisk.create({ basePath: work.at('base'), masterRelay: true }),
    });
    gateway.repositories.set('5', testRepository(5));
    gateway.repositories.set('6', testRepository(6, { quotaBytes: 20 * MIB }));
    const relay = { masterUrl: gateway.url, token: testNodeToken, needsKnownSize: false };
    engine = createEngine({ tempDir: work.at('temp'), relay: () => relay });
  });
  afterAll(async () => {
    await engine.close(5000);
    await gateway.stop();
    work.remove();
  });
  const access = (id: number) =>
    repositoryAt('unseen', {
      id,
      prefix: 'is not sent',
      unlock: { password },
      target: { id: 1, name: 'the disk of the master', type: 'local_disk', config: {}, viaMaster: true },
    });
  const runner: JobRunner = { run: (job) => engine.run(job, { reporter: silentReporter, signal }) };

  it('makes a repository, backs up, stores nothing twice, and restores', async () => {
    await runner.run(initJob(access(5)));
    const first = await backup(runner, access(5), [work.at('source')]);
    const second = await backup(runner, access(5), [work.at('source')], { parentId: first.snapshot.snapshotId });
    expect([first.status, second.status]).toEqual(['success', 'success']);
    expect(second.snapshot).toMatchObject({ filesNew: 0, filesChanged: 0 });
    // Only folders above the source have changed.
    expect(second.snapshot.bytesAdded).toBeLessThan(100_000);
    const theirs = debian.open(gateway.restic('5'), password);
    await theirs.mustBeClean();
    await theirs.ok(['restore', 'latest', '--target', work.at('theirs')]);
    expect(compareTrees(work.at('source'), work.at('theirs', work.at('source')), { isCheckingSparse: false })).toEqual(
      [],
    );
    await restore(runner, access(5), first.snapshot.snapshotId, work.at('ours'));
    expect(compareTrees(work.at('source'), work.at('ours', work.at('source')))).toEqual([]);
    expect(gateway.opened()).toBe(1);
  });

  it('hears that the quota is used up', async () => {
    await runner.run(initJob(access(6)));
    await expect(backup(runner, access(6), [work.at('source')])).rejects.toMatchObject({ code: 'STORAGE_FULL' });
  });

  it('hears that it is somebody else’s repository', async () => {
    await expect(runner.run(initJob(access(7)))).rejects.toMatchObject({ code: 'STORAGE_PERMISSION' });
  });
});

forEachRestic('the gateway in front of a folder', (restic) => {
  const base = makeWorkFolder('gateway-base');
  declareClient(restic, {
    open: () => localDisk.create({ basePath: base.path, masterRelay: false }),
    stop: async () => base.remove(),
  });

  it('serves a repository that restic has made without us', async () => {
    const work = makeWorkFolder('gateway-adopted');
    await restic.open(work.at('made', 'elsewhere'), password).ok(['init']);
    const gateway = await startTestGateway({
      openStorage: () => localDisk.create({ basePath: work.at('made'), masterRelay: false }),
    });
    gateway.repositories.set('7', testRepository(7, { prefix: 'elsewhere' }));
    const adopted = restic.open(gateway.restic('7'), password);
    await adopted.ok(['backup', import.meta.dirname]);
    await adopted.mustBeClean();
    expect(await restic.open(work.at('made', 'elsewhere'), password).json(['snapshots'])).toHaveLength(1);
    await gateway.stop();
    work.remove();
  });
});

describe('the gateway in front of S3', () => {
  let server: RadosGateway;
  const pendingUploads = async (): Promise<number> => {
    const connection = new S3Connection({ ...server, region: 'us-east-1', forcePathStyle: true });
    const { client, sdk } = await connection.open();
    const answer = await client.send(new sdk.ListMultipartUploadsCommand({ Bucket: server.bucket }));
    await connection.close();
    return answer.Uploads?.length ?? 0;
  };
  declareClient(debian, {
    open() {
      const { endpoint, bucket, accessKeyId, secretAccessKey } = server;
      const keys = { accessKeyId, secretAccessKey, forcePathStyle: true };
      return s3.create(s3.config.parse({ endpoint, bucket, ...keys, prefix: 'gateway' }));
    },
    async start() {
      server = await startRadosGateway();
    },
    async stop() {
      expect(await pendingUploads()).toBe(0);
      await server.stop();
    },
  });
});
