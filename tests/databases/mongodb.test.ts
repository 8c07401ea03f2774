/**
 * MongoDB there and back, with mongodump and mongorestore and over the driver, against FerretDB: every document and
 * index, what a restore replaces and what it refuses. FerretDB has no views, time series, users and roles to restore,
 * and renames nothing to a name with a dot: those are tested beside the code.
 */
import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import type { DriverSettings, StoredArtifact } from '@backupx/contracts/jobs';
import { MongoClient } from 'mongodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mongodbSource } from '../../packages/engine/src/sources/mongodb/mongodb-source.ts';
import { type FerretdbServer, findFerretdb, startFerretdb } from '../servers/ferretdb.ts';
import { type FerretdbProxy, startProxy } from '../servers/ferretdb-proxy.ts';
import { besideSmallDisk, failureOf, mayMount } from '../support/faulty-runs.ts';
import { createRunner } from '../support/repository.ts';
import { backupModes, createSourceJobs, type SourceJobs } from '../support/source-jobs.ts';
import { findTools } from '../support/tool-watch.ts';
import { verifyFolder } from '../support/verify-folder.ts';
import { makeWorkFolder } from '../support/work-folder.ts';
import {
  DATABASES,
  damage,
  databaseNames,
  describeDatabase,
  fill,
  makeToolFolder,
  whyNoMongodb,
} from './mongodb-samples.ts';

const whyNot = whyNoMongodb();
const suite = (name: string, body: () => void) =>
  whyNot === '' ? describe(name, body) : describe.skip(`${name} (${whyNot})`, body);

const work = makeWorkFolder('mongodb-tests');
const runner = createRunner(work.at('temp'));
const login = { user: 'root', password: 'p: "\\#\'ü@/%&' };
let server: FerretdbServer;
let proxy: FerretdbProxy;
let client: MongoClient;
let toolFolder: string;

beforeAll(async () => {
  if (whyNot !== '') return;
  toolFolder = makeToolFolder(work.at('bin'));
  server = await startFerretdb({ folder: work.at('server'), login });
  proxy = await startProxy(server.port);
  client = new MongoClient(server.uri);
  await fill(client);
});
afterAll(async () => {
  await runner.close();
  await client?.close();
  await proxy?.stop();
  await server?.stop();
  work.remove();
});

const source = (more: Record<string, unknown> = {}) => ({
  type: 'mongodb',
  config: {
    ...{ dbHost: '127.0.0.1', dbPort: proxy.port, dbUser: login.user, dbPassword: login.password },
    ...{ program: 'tools', toolFolder, ...more },
  },
});
const describeAll = async () =>
  new Map(await Promise.all(DATABASES.map(async (name) => [name, await describeDatabase(client, name)] as const)));
const leftInTemp = () => readdirSync(work.at('temp')).flatMap((name) => readdirSync(work.at('temp', name)));
const workInside = (name: string) => ({
  ...work,
  at: (...parts: string[]) => work.at(`${name}-${parts.join('-')}`),
});

describe.each(backupModes)('in mode %s', (mode) => {
  suite('a server', () => {
    let jobs: SourceJobs;
    beforeAll(async () => {
      jobs = await createSourceJobs(runner, work, mode);
    });

    it.each(['tools', 'native'])('comes back whole, document by document, by %s', async (program) => {
      const before = await describeAll();
      const names = await databaseNames(client);
      const result = await jobs.backup(source({ program }));
      expect(result).toMatchObject({ status: 'success', problems: [] });
      await damage(client);
      const options = { replaceExisting: true };
      const restored = await jobs.restore(source({ program }), result, { options });
      expect(restored).toMatchObject({ status: 'success', problems: [], itemsWritten: 3 });
      expect(await describeAll()).toEqual(before);
      expect(await databaseNames(client)).toEqual(names);
      expect(leftInTemp()).toEqual([]);
    });

    it('changes nothing in a dry run', async () => {
      const before = await describeAll();
      const result = await jobs.backup(source());
      const running = jobs.restore(source(), result, { options: { replaceExisting: true }, dryRun: true });
      if (mode === 'archive') await expect(running).rejects.toMatchObject({ code: 'NOT_SUPPORTED' });
      else expect(await running).toMatchObject({ status: 'success', itemsWritten: 7 });
      expect(await describeAll()).toEqual(before);
    });
  });
});

suite('a restore', () => {
  let jobs: SourceJobs;
  let result: Awaited<ReturnType<SourceJobs['backup']>>;
  let before: Map<string, string>;
  let names: string[];
  beforeAll(async () => {
    jobs = await createSourceJobs(runner, workInside('restores'), 'archive');
    before = await describeAll();
    names = await databaseNames(client);
    result = await jobs.backup(source());
  });
  const expectUntouched = async () => {
    expect(await describeAll()).toEqual(before);
    expect(await databaseNames(client)).toEqual(names);
  };

  it.each(['tools', 'native'])('makes copies under new names, by %s', async (program) => {
    const rename = ['shop=copy_of_shop', 'other=other_2', '-h=h'];
    expect(await jobs.restore(source({ program }), result, { options: { rename } })).toMatchObject({ problems: [] });
    expect(await describeDatabase(client, 'copy_of_shop')).toBe(before.get('shop'));
    for (const name of ['copy_of_shop', 'other_2', 'h']) await client.db(name).dropDatabase();
    await expectUntouched();
  });

  it('stops before a database that is there, and says beforehand which one', async () => {
    await expect(jobs.restore(source(), result)).rejects.toMatchObject({ code: 'DATABASE_EXISTS' });
    await expectUntouched();
    const entries = ['/mongodb/shop/inventory.json', '/mongodb/other/inventory.json'];
    const target = { rename: ['other=none_yet'] };
    const found = await runner.run({ kind: 'inspect_target', source: source(), options: target, entries });
    expect(found.databases).toEqual([
      { name: 'shop', exists: true, sizeBytes: expect.any(Number), sessions: [] },
      { name: 'none_yet', exists: false, sizeBytes: null, sessions: [] },
    ]);
  });

  it('stops before a name that no database may have, or two would get', async () => {
    const paths = ['/mongodb/other', '/mongodb/shop'];
    for (const rename of [['other=admin'], ['other=a.b'], ['shop=x', 'other=x']]) {
      await expect(jobs.restore(source(), result, { options: { rename }, paths })).rejects.toMatchObject({
        code: 'RESTORE_TARGET_INVALID',
      });
      await expectUntouched();
    }
  });

  it('brings back single collections and leaves the others', async () => {
    const paths = ['/mongodb/shop'];
    await client.db('shop').collection('orders').deleteMany({});
    await client.db('shop').collection('log').insertOne({ line: 3 });
    const options = { collections: ['orders', 'a*b'], replaceExisting: true };
    await jobs.restore(source(), result, { options, paths });
    const [orders, others] = ['orders ', 'log '].map(
      (word) =>
        (text = '') =>
          text.split('\n').filter((line) => line.startsWith(word)),
    ) as [(text?: string) => string[], (text?: string) => string[]];
    const now = await describeDatabase(client, 'shop');
    expect(orders(now)).toEqual(orders(before.get('shop')));
    expect(others(now)).not.toEqual(others(before.get('shop')));
    const gone = { collections: ['orders', 'no such'], replaceExisting: true };
    await expect(jobs.restore(source(), result, { options: gone, paths })).rejects.toMatchObject({
      code: 'RESTORE_TARGET_INVALID',
    });
    await jobs.restore(source(), result, { options: { replaceExisting: true }, paths });
    await expectUntouched();
  });

  it('refuses what is damaged before it touches anything', async () => {
    const file = path.join(jobs.store, result.storagePath);
    const good = readFileSync(file);
    const bad = Buffer.from(good);
    bad[bad.length >> 1] = (bad[bad.length >> 1] ?? 0) ^ 1;
    for (const bytes of [bad, good.subarray(0, good.length - 1000)]) {
      writeFileSync(file, bytes);
      const running = jobs.restore(source(), result, { options: { replaceExisting: true } });
      await expect(running).rejects.toMatchObject({ code: 'ARTIFACT_DAMAGED' });
      await expectUntouched();
    }
    writeFileSync(file, good);
  });

  it('goes to another server, and says what it could not take along', async () => {
    const other = await startFerretdb({ folder: work.at('other-server') });
    const there = new MongoClient(other.uri);
    try {
      const options = { uri: other.uri, restoreUsers: true, program: 'native' };
      const restored = await jobs.restore(source(), result, { options });
      // FerretDB cannot take over users.
      expect(restored).toMatchObject({ status: 'warning', problems: [{ path: '/mongodb/users.json' }] });
      for (const name of DATABASES) expect(await describeDatabase(there, name), name).toBe(before.get(name));
    } finally {
      await there.close();
      await other.stop();
    }
  });

  it('writes archives that mongorestore takes when a folder is named', async () => {
    await jobs.restore(source(), result, { targetPath: work.at('plain'), overwrite: 'never' });
    const inventory = JSON.parse(readFileSync(work.at('plain/mongodb/shop/inventory.json'), 'utf8'));
    expect(inventory).toMatchObject({ database: 'shop', tool: 'mongodump 100.9.5' });
    expect(inventory.objects).toContainEqual({ kind: 'collection', name: 'orders', rows: 700 });
    expect(inventory.objects).toContainEqual({ kind: 'index', name: 'orders by text' });
    expect(JSON.parse(readFileSync(work.at('plain/mongodb/users.json'), 'utf8')).users).toMatchObject([
      { _id: 'admin.root' },
    ]);
    const config = work.at('mongorestore.yaml');
    const uri = server.uri.replace(`:${server.port}/`, `:${proxy.port}/`);
    writeFileSync(config, `uri: ${JSON.stringify(uri)}\n`, { mode: 0o600 });
    const archive = work.at('plain/mongodb/other/dump.archive');
    const args = [`--config=${config}`, `--archive=${archive}`, '--nsFrom=other.*', '--nsTo=stock.*', '--quiet'];
    await promisify(execFile)(path.join(toolFolder, 'mongorestore'), args);
    expect(await describeDatabase(client, 'stock')).toBe(before.get('other'));
    await client.db('stock').dropDatabase();
  });

  it.each(['tools', 'native'])('has equal bytes for equal data, by %s', async (program) => {
    const at = (index: number, ...more: string[]) => work.at(`equal-${program}-${index}`, ...more);
    for (const index of [0, 1]) {
      const one = await jobs.backup(source({ program, databases: ['shop'] }));
      await jobs.restore(source(), one, { targetPath: at(index) });
    }
    const read = (index: number, name: string) => readFileSync(at(index, 'mongodb/shop', name));
    for (const name of ['dump.archive', 'inventory.json']) expect(read(1, name).equals(read(0, name))).toBe(true);
  });
});

suite('what a broken restore left', () => {
  it('is undone by the next one, when it has been silent for long', async () => {
    const before = await describeDatabase(client, 'other');
    const jobs = await createSourceJobs(runner, workInside('broken'), 'archive');
    const result = await jobs.backup(source({ databases: ['other'] }));
    const db = client.db('other');
    await db.collection('few').rename('backupx_old_0123abcd_few');
    await db.collection('few').insertOne({ half: true });
    const plan = { oldCollections: ['few'], oldViews: [], newCollections: ['few'], newViews: [] };
    const journal = db.collection<{ _id: string }>('backupx_journal_0123abcd');
    await journal.insertOne({ _id: 'restore', beatAt: new Date(), state: 'swapping', plan } as never);
    await expect(jobs.restore(source(), result)).rejects.toMatchObject({ code: 'DATABASE_IN_USE' });
    await journal.updateOne({}, { $set: { beatAt: new Date(Date.now() - 600_000) } });
    // Undone first; then the database is there and may not be replaced.
    await expect(jobs.restore(source(), result)).rejects.toMatchObject({ code: 'DATABASE_EXISTS' });
    expect(await describeDatabase(client, 'other')).toBe(before);
  });
});

suite('the operations log', () => {
  it('makes one dump of a replica set, which is restored with it', async () => {
    const set = await startFerretdb({ folder: work.at('set'), replicaSet: 'rs0' });
    const throughProxy = await startProxy(set.port);
    const there = new MongoClient(set.uri, { directConnection: true });
    try {
      await there.db('local').createCollection('oplog.rs', { capped: true, size: 1_000_000 });
      await there
        .db('a')
        .collection('t')
        .insertMany([{ x: 1 }, { x: 2, text: 'x'.repeat(100_000) }]);
      await there.db('b').collection('t').insertOne({ x: 3 });
      const of = (more = {}) => ({
        type: 'mongodb',
        config: { dbHost: '127.0.0.1', dbPort: throughProxy.port, toolFolder, oplog: true, ...more },
      });
      const jobs = await createSourceJobs(runner, workInside('oplog'), 'archive');
      const inspection = await runner.run({ kind: 'inspect_source', source: of() });
      expect(inspection).toMatchObject({ server: expect.stringContaining('replica set rs0 (primary)'), warnings: [] });
      await expect(jobs.backup(of({ databases: ['a'] }))).rejects.toMatchObject({ code: 'DATABASE_OPLOG' });
      const before = [await describeDatabase(there, 'a'), await describeDatabase(there, 'b')];
      const result = await jobs.backup(of());
      expect(result).toMatchObject({ status: 'success', itemCount: 3 });
      await jobs.restore(of(), result, { targetPath: work.at('oplog-plain') });
      expect(readdirSync(work.at('oplog-plain/mongodb')).sort()).toEqual(['dump.archive', 'inventory.json']);
      await expect(jobs.restore(of(), result)).rejects.toMatchObject({ code: 'DATABASE_EXISTS' });
      await there.db('a').collection('t').deleteMany({});
      await there.db('b').dropDatabase();
      expect(throughProxy.applied).toEqual([]);
      if (mayMount) await restoreWithoutRoom(of(), jobs.artifactOf(result));
      expect(throughProxy.applied).toEqual([]);
      await jobs.restore(of(), result, { options: { replaceExisting: true } });
      // At least the last operation before the dump is replayed.
      expect(throughProxy.applied.map(({ ns }) => ns)).toContain('b.t');
      expect([await describeDatabase(there, 'a'), await describeDatabase(there, 'b')]).toEqual(before);
      expect(leftInTemp()).toEqual([]);
    } finally {
      await there.close();
      await throughProxy.stop();
      await set.stop();
    }
  });
});

/** The dump is kept in a file before anything is restored of it. */
async function restoreWithoutRoom(of: DriverSettings, artifact: StoredArtifact): Promise<void> {
  const small = work.at('small');
  await besideSmallDisk(small, '64k', async () => {
    const cramped = createRunner(small);
    const restored = cramped.run({
      ...{ kind: 'run_restore', restoreRecordId: 1, recordId: 1, taskName: 'cramped', source: of, artifact },
      ...{ targetPath: null, paths: null, overwrite: 'always', options: { replaceExisting: true } },
    });
    expect(await failureOf(restored)).toMatchObject({
      code: 'RESTORE_TARGET_INVALID',
      message: expect.stringContaining('ENOSPC'),
    });
    await cramped.close();
    expect(readdirSync(small)).toEqual([]);
  });
}

suite('a verification', () => {
  const folder = work.at('to-verify');
  beforeAll(async () => {
    const jobs = await createSourceJobs(runner, workInside('verify'), 'archive');
    await jobs.restore(source(), await jobs.backup(source()), { targetPath: folder });
  });

  it('proves a good backup, by restoring it too, and finds what is cut or changed', async () => {
    const names = await databaseNames(client);
    const good = await verify(folder, 'deep', {});
    expect(good.filter(({ ok }) => !ok)).toEqual([]);
    const steps = good.filter(({ subject }) => subject === 'shop').map(({ name }) => name);
    expect(steps).toEqual(['structure', 'inventory', 'restore', 'rows', 'engine']);
    expect(await databaseNames(client)).toEqual(names);
    const failures = async (depth: 'quick' | 'deep', change: (bytes: Buffer) => Buffer) =>
      (await verify(folder, depth, { change })).filter(({ ok }) => !ok);
    const cut = (bytes: Buffer) => bytes.subarray(0, bytes.length - 200);
    for (const depth of ['quick', 'deep'] as const) {
      expect(await failures(depth, cut)).toMatchObject([{ subject: 'shop', name: 'structure' }]);
      const flipped = await failures(depth, (bytes) => {
        const copy = Buffer.from(bytes);
        const at = copy.lastIndexOf('nothing');
        copy[at] = (copy[at] ?? 0) ^ 1;
        return copy;
      });
      expect(flipped).toMatchObject([{ subject: 'shop', name: 'structure' }]);
    }
    expect(await databaseNames(client)).toEqual(names);
  });

  it('starts a server of its own where there is a mongod, and leaves nothing of it', async () => {
    const bin = work.at('with-mongod');
    mkdirSync(bin);
    // FerretDB in its clothes.
    const program = findFerretdb().program;
    writeFileSync(
      path.join(bin, 'mongod'),
      `#!/bin/sh
for word in "$@"; do
  case "$word" in --bind_ip=*) socket=\${word#*=} ;; --dbpath=*) data=\${word#*=} ;; esac
done
exec ${program} --handler=sqlite "--sqlite-url=file:$data/" "--state-dir=$data" --telemetry=disable --debug-addr=- \\
  --listen-addr= "--listen-unix=$socket" --log-level=error
`,
      { mode: 0o755 },
    );
    const options = { program: 'native', toolFolder: bin };
    const checks = await verify(folder, 'deep', { options });
    expect(checks.filter(({ ok }) => !ok)).toEqual([]);
    expect(checks.filter(({ name }) => name === 'rows').map(({ subject }) => subject)).toEqual(['-h', 'other', 'shop']);
    expect(findTools(work.at('temp-verify'))).toEqual([]);
  });

  it('says which package a deep one needs where no server is named', async () => {
    await expect(verify(folder, 'deep', { options: {} })).rejects.toMatchObject({
      code: 'DATABASE_TOOL_MISSING',
      params: { tool: 'mongod' },
    });
  });
});

function verify(
  folder: string,
  depth: 'quick' | 'deep',
  more: { change?(bytes: Buffer): Buffer; options?: Record<string, unknown> },
) {
  const named = { ...source().config, databases: undefined };
  return verifyFolder(mongodbSource, {
    ...{ folder, config: source().config, options: more.options ?? named, depth, tempDir: work.at('temp-verify') },
    change: (bytes, file) => (file.endsWith('/shop/dump.archive') ? (more.change?.(bytes) ?? bytes) : bytes),
  });
}
