/** Whole restores into a server of bytes: what the stand-ins of the system tests do not take. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { BSON } from 'mongodb';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { BackupContext, RestoreContext, RestoreEntry, SourceEntry } from '../../ports/source.ts';
import { FakeMongo, failure } from '../../testing/fake-mongo.ts';
import type { FakeCommand } from '../../testing/mongo-wire.ts';
import { mongodbSource } from './mongodb-source.ts';

const bytes = (document: object) => BSON.serialize(document);
const ID = { v: 2, key: { _id: 1 }, name: '_id_' };
const byDay = { v: 2, key: { day: 1 }, name: 'by day', expireAfterSeconds: 60 };
const user = {
  _id: 'admin.ann',
  user: 'ann',
  db: 'admin',
  roles: [{ role: 'read', db: 'shop' }],
  credentials: { x: 1 },
};
const bob = { ...user, _id: 'shop.bob', user: 'bob', db: 'shop' };

let folder: string;
let fake: FakeMongo;
let interrupt: (command: FakeCommand) => object | 'cut' | null;
let problems: unknown[];

beforeEach(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'backupx-mongodb-'));
  interrupt = () => null;
  problems = [];
  const collections = {
    'shop.fs.files': { documents: [bytes({ _id: 1 }), bytes({ _id: 2, day: 'x' })], indexes: [ID, byDay] },
    'shop.system.js': { documents: [bytes({ _id: 'f' })] },
    'shop.plain': { documents: [] },
    'shop.latest': { type: 'view' as const, options: { viewOn: 'fs.files', pipeline: [{ $limit: 1 }] } },
    'admin.system.users': { documents: [bytes(user), bytes(bob)] },
    'admin.system.roles': { documents: [] },
  };
  fake = await FakeMongo.start({
    collections,
    isReplicaSet: true,
    onCommand: (command) => interrupt(command) ?? answer(command),
  });
});
afterEach(async () => {
  await fake.stop();
  expect(readdirSync(folder)).toEqual([]);
  rmSync(folder, { recursive: true });
});

function answer({ name, body }: FakeCommand): object | null {
  if (name === 'listDatabases') {
    const names = [...new Set(fake.namespaces.map((ns) => ns.split('.')[0]))];
    return { ok: 1, databases: names.map((one) => ({ name: one, sizeOnDisk: 10 })) };
  }
  if (name !== 'connectionStatus') return null;
  const actions = body.showPrivileges ? ['find', 'listCollections'] : [];
  const authenticatedUserPrivileges = [{ resource: { db: '', collection: '' }, actions }];
  return { ok: 1, authInfo: { authenticatedUsers: [{ user: 'ann' }], authenticatedUserPrivileges } };
}

const config = () => {
  const [dbHost = '', port] = fake.address.split(':');
  return mongodbSource.config.parse({ dbHost, dbPort: Number(port), program: 'native' });
};
const context = () => ({
  signal: new AbortController().signal,
  tempDir: folder,
  log: () => {},
  problem: (problem: unknown) => void problems.push(problem),
});

interface Saved {
  readonly entry: SourceEntry;
  readonly content: Buffer;
}

async function backup(): Promise<Saved[]> {
  const saved: Saved[] = [];
  for await (const entry of mongodbSource.entries(config(), context() as BackupContext)) {
    const chunks: Buffer[] = [];
    if (entry.content?.kind === 'stream') {
      for await (const chunk of entry.content.stream) chunks.push(Buffer.from(chunk));
    }
    if (entry.type === 'file') saved.push({ entry, content: Buffer.concat(chunks) });
  }
  return saved;
}

async function restore(saved: readonly Saved[], options: Record<string, unknown>, more: Partial<RestoreContext> = {}) {
  const parsed = mongodbSource.restoreConfig?.parse(options) ?? {};
  const common = { targetPath: null, paths: null, overwrite: 'always', progress: () => {} };
  const session = await mongodbSource.restore(config(), {
    ...context(),
    ...common,
    ...more,
    options: parsed,
  } as RestoreContext);
  try {
    for (const { entry, content } of saved) {
      const stream = (async function* () {
        for (let at = 0; at < content.length; at += 50) yield content.subarray(at, at + 50);
      })();
      await session.write({ ...entry, content: stream, sizeBytes: content.length, segments: null } as RestoreEntry);
    }
    return await session.commit();
  } catch (error) {
    await session.rollback();
    throw error;
  }
}

const inShop = () => fake.namespaces.filter((ns) => ns.startsWith('shop.'));
const mayNot = expect.objectContaining({ message: 'without the right listIndexes indexes are not seen' });

describe('a restore of MongoDB', () => {
  it('brings views and names with dots back, and makes a copy of what cannot be renamed', async () => {
    const saved = await backup();
    expect(problems).toEqual([mayNot]);
    expect(saved.map(({ entry }) => Buffer.from(entry.path).toString())).toEqual([
      '/mongodb/shop/dump.archive',
      '/mongodb/shop/inventory.json',
      '/mongodb/users.json',
    ]);
    await restore(saved, { rename: ['shop=copy'] });
    const copied = fake.namespaces.filter((ns) => ns.startsWith('copy.'));
    expect(copied).toEqual(['copy.fs.files', 'copy.latest', 'copy.plain', 'copy.system.js']);
    expect(fake.documents('copy.fs.files')).toEqual(fake.documents('shop.fs.files'));
    const views = fake.of('create').filter(({ db, body }) => db === 'copy' && body.create === 'latest');
    expect(views.at(-1)?.body).toMatchObject({ viewOn: 'fs.files', pipeline: [{ $limit: 1 }] });
  });

  it('replaces a database with its views, but not what cannot be moved aside', async () => {
    const saved = await backup();
    await expect(restore(saved, { replaceExisting: true })).rejects.toMatchObject({ code: 'RESTORE_TARGET_INVALID' });
    const before = inShop();
    const options = { replaceExisting: true, collections: ['fs.files', 'latest'] };
    expect(await restore(saved, options)).toMatchObject({ itemsWritten: 1 });
    expect(inShop()).toEqual(before);
  });

  it('is taken back when a step of the swap fails', async () => {
    const saved = await backup();
    const before = inShop();
    const [file] = fake.documents('shop.fs.files');
    interrupt = ({ name, body }) =>
      name === 'create' &&
      body.create === 'latest' &&
      fake.namespaces.every((ns) => ns !== 'shop.latest') &&
      !isUndoing()
        ? failure(13, 'not authorized')
        : null;
    const isUndoing = () => fake.of('renameCollection').some(({ body }) => String(body.to).includes('backupx_new_'));
    const options = { replaceExisting: true, collections: ['fs.files', 'latest'] };
    await expect(restore(saved, options)).rejects.toMatchObject({ code: 'DATABASE_PERMISSION' });
    expect(inShop()).toEqual(before);
    expect(fake.documents('shop.fs.files')[0]).toBe(file);
  });

  it('stops when a count is another one than that of the backup', async () => {
    const saved = await backup();
    interrupt = ({ name, body }) =>
      name === 'insert' && String(body.insert).startsWith('backupx_new_') ? { ok: 1, n: 2 } : null;
    const running = restore(saved, { rename: ['shop=copy'] });
    await expect(running).rejects.toMatchObject({ code: 'DATABASE_DUMP_DAMAGED' });
    expect(fake.namespaces.filter((ns) => ns.startsWith('copy.'))).toEqual([]);
  });

  it('makes users that are missing, and leaves the others', async () => {
    const saved = await backup();
    let merged: FakeCommand | null = null;
    let staged: readonly Buffer[] = [];
    interrupt = (command) => {
      if (command.name === 'find' && command.body.find === 'system.users') {
        return { ok: 1, cursor: { id: BSON.Long.ZERO, ns: 'admin.system.users', firstBatch: [user] } };
      }
      if (command.name === '_mergeAuthzCollections') {
        merged = command;
        staged = [...fake.documents('admin.backupx_users')];
      }
      return null;
    };
    const outcome = await restore(saved, { rename: ['shop=copy'], restoreUsers: true });
    expect(outcome).toMatchObject({ itemsWritten: 2 });
    expect(merged).toMatchObject({
      db: 'admin',
      body: { tempUsersCollection: 'admin.backupx_users', drop: false, db: '' },
    });
    expect(staged.map((one) => BSON.deserialize(one))).toEqual([bob]);
    expect(fake.namespaces).not.toContain('admin.backupx_users');
  });

  it('refuses an archive with collections of another database, before it writes any', async () => {
    const saved = await backup();
    const swapped = saved.map((one) => {
      const name = Buffer.from(one.entry.path).toString().replace('/shop/', '/copy/');
      return { ...one, entry: { ...one.entry, path: Buffer.from(name) } };
    });
    await expect(restore(swapped, {})).rejects.toMatchObject({
      code: 'DATABASE_DUMP_DAMAGED',
      params: { reason: expect.stringContaining('it holds shop.') },
    });
    expect(fake.namespaces.filter((ns) => ns.startsWith('copy.'))).toEqual([]);
  });

  it('drops nothing that stands where a time series would go', async () => {
    await fake.stop();
    const series = { type: 'timeseries' as const, options: { timeseries: { timeField: 't' } } };
    const precious = [bytes({ _id: 1, precious: true })];
    fake = await FakeMongo.start({
      collections: { 'shop.days': series, 'shop.system.buckets.days': {}, 'copy.days': { documents: precious } },
      onCommand: (command) => interrupt(command) ?? answer(command),
    });
    const saved = await backup();
    const running = restore(
      saved.filter(({ entry }) => Buffer.from(entry.path).includes('/shop/')),
      { rename: ['shop=copy'], replaceExisting: true },
    );
    await expect(running).rejects.toMatchObject({ code: 'RESTORE_TARGET_INVALID' });
    expect(fake.documents('copy.days')).toEqual(precious.map((one) => Buffer.from(one)));
    expect(fake.namespaces.filter((ns) => ns.startsWith('copy.'))).toEqual(['copy.days']);
  });

  it('changes nothing when what it loaded was cleared away by another restore', async () => {
    const saved = await backup();
    const before = inShop();
    let isProven = false;
    interrupt = ({ name }) => {
      isProven ||= name === 'aggregate';
      if (!isProven || name !== 'listCollections') return null;
      for (const ns of inShop()) if (ns.startsWith('shop.backupx_')) fake.remove(ns);
      return null;
    };
    const options = { replaceExisting: true, collections: ['fs.files', 'latest'] };
    await expect(restore(saved, options)).rejects.toMatchObject({ code: 'DATABASE_IN_USE' });
    expect(inShop()).toEqual(before);
  });

  it('says in a dry run, too, that two databases would get one name', async () => {
    fake.add('blog.posts', { documents: [bytes({ _id: 1 })] });
    const running = restore(await backup(), { rename: ['shop=blog'] }, { isDryRun: true });
    await expect(running).rejects.toMatchObject({ params: { reason: 'two databases would get this name' } });
  });

  it('tells in a dry run what would stop it', async () => {
    const saved = await backup();
    const told: string[] = [];
    const log = (level: string, text: string) => void (level === 'warn' && told.push(text));
    const before = inShop();
    const foresee = (options: object) => restore(saved, { replaceExisting: true, ...options }, { isDryRun: true, log });
    await foresee({ collections: ['fs.files', 'latest'] });
    expect(told).toEqual([]);
    await foresee({});
    expect(told).toEqual([expect.stringMatching(/^The restore of "shop" would stop: .* cannot be moved aside/)]);
    expect(inShop()).toEqual(before);
  });

  it('stops when another one began in the same moment', async () => {
    const saved = await backup();
    const beatAt = new Date();
    const journal = { documents: [bytes({ _id: 'restore', beatAt, state: 'loading' })] };
    interrupt = ({ name, db, body }) => {
      const isOwn = name === 'update' && db === 'copy' && String(body.update).startsWith('backupx_journal_');
      if (isOwn) fake.add('copy.backupx_journal_00000000', journal);
      return null;
    };
    await expect(restore(saved, { rename: ['shop=copy'] })).rejects.toMatchObject({ code: 'DATABASE_IN_USE' });
    expect(fake.namespaces.filter((ns) => ns.startsWith('copy.'))).toEqual(['copy.backupx_journal_00000000']);
  });

  it('is proven on a server that is named, where it drops its own databases and those of dead proofs', async () => {
    const saved = await backup();
    const journal = (beatAt: Date) => ({ documents: [bytes({ _id: 'restore', beatAt, state: 'loading' })] });
    fake.add('backupx_verify_00000000dead_0.t', { documents: [] });
    fake.add('backupx_verify_00000000dead_0.backupx_journal_00000000', journal(new Date(0)));
    fake.add('backupx_verify_0000000a11ve_0.backupx_journal_00000000', journal(new Date()));
    fake.add('backupx_verify_0000000a11fe_0.backupx_journal_00000000', journal(new Date()));
    const [dbHost = '', port] = fake.address.split(':');
    const options = mongodbSource.restoreConfig?.parse({ dbHost, dbPort: Number(port), program: 'native' }) ?? {};
    const verifier = await mongodbSource.openVerifier?.(config(), { ...context(), depth: 'deep', options });
    const [archive] = saved;
    const damaged = { ...archive, content: archive?.content.subarray(0, -30) } as Saved;
    for (const { entry, content } of [damaged, ...saved]) {
      const stream = (async function* () {
        yield content;
      })();
      await verifier?.write({ ...entry, content: stream, sizeBytes: content.length, segments: null } as RestoreEntry);
    }
    const checks = (await verifier?.finish()) ?? [];
    await verifier?.close();
    expect(checks.filter(({ ok }) => !ok)).toMatchObject([{ subject: 'shop', name: 'structure' }]);
    expect(checks.map(({ name }) => name)).toContain('rows');
    const left = fake.namespaces.filter((ns) => ns.startsWith('backupx_verify_'));
    // One lives, the other is none of ours by its name.
    expect(left).toEqual([
      'backupx_verify_0000000a11fe_0.backupx_journal_00000000',
      'backupx_verify_0000000a11ve_0.backupx_journal_00000000',
    ]);
  });
});
