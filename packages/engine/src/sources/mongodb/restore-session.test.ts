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
/** What runs on the server. */
let operations: { opid: number; [key: string]: unknown }[];

beforeEach(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'backupx-mongodb-'));
  interrupt = () => null;
  problems = [];
  operations = [];
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
  if (name === 'currentOp') return { ok: 1, inprog: operations };
  if (name === 'killOp') {
    operations = operations.filter(({ opid }) => opid !== body.op);
    return { ok: 1, info: 'attempting to kill op' };
  }
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

describe('a restore of MongoDB into a database in use', () => {
  const parts = { replaceExisting: true, collections: ['fs.files', 'latest'] };
  const working = (opid: number, more: object = {}) => {
    const client = `10.0.0.7:${opid}`;
    return { ...{ type: 'op', op: 'query', opid, ns: 'shop.fs.files', client, appName: 'till' }, ...more };
  };
  const killed = () => fake.of('killOp').map(({ db, body }) => [db, body.op]);
  /** From the first count on, which comes when all is loaded. */
  const afterLoading = (act: () => void) => {
    interrupt = ({ name }) => {
      if (name === 'aggregate') act();
      return null;
    };
  };

  it('stops with the list, before anything is loaded', async () => {
    const saved = await backup();
    const before = inShop();
    const [ann, member] = ['ann', '__system'].map((user) => ({ effectiveUsers: [{ user }] }));
    operations = [working(7, ann), working(8, { ns: 'shop.plain' }), working(6, { ...member, client: '10.0.0.2:1' })];
    const running = restore(saved, parts);
    await expect(running).rejects.toMatchObject({
      code: 'DATABASE_IN_USE',
      params: { name: 'database shop', sessions: 'ann from 10.0.0.7:7 with till (7)' },
    });
    expect([inShop(), fake.of('insert').length, killed()]).toEqual([before, 0, []]);
  });

  it('stops when somebody comes while it is loaded, and leaves what was there', async () => {
    const saved = await backup();
    const before = inShop();
    const [file] = fake.documents('shop.fs.files');
    afterLoading(() => {
      operations = [working(9)];
    });
    await expect(restore(saved, parts)).rejects.toMatchObject({ code: 'DATABASE_IN_USE' });
    expect([inShop(), killed(), fake.of('renameCollection')]).toEqual([before, [], []]);
    expect(fake.documents('shop.fs.files')[0]).toBe(file);
  });

  it('ends what others do there right before it is replaced, and nothing else', async () => {
    const saved = await backup();
    const elsewhere = [
      working(1, { ns: 'shopping.fs.files' }),
      working(2, { ns: 'shop.plain' }),
      working(3, { client: undefined }),
      working(4, { ns: 'shop.backupx_new_0123abcd_fs.files' }),
    ];
    operations = [working(7), working(8, { op: 'getmore' }), ...elsewhere];
    let own = '';
    afterLoading(() => {
      own = fake.clientNames.at(-1) ?? '';
      if (!operations.some(({ opid }) => opid === 5)) operations.push(working(5, { appName: own }));
    });
    const outcome = await restore(saved, { ...parts, endSessions: true });
    expect(outcome).toMatchObject({ itemsWritten: 1 });
    expect(own).toMatch(/^BackupX [0-9a-f]{16}$/);
    expect(killed()).toEqual([
      ['admin', 7],
      ['admin', 8],
    ]);
    const order = fake.commands.map(({ name }) => name);
    expect(order.lastIndexOf('killOp')).toBeLessThan(order.indexOf('renameCollection'));
    expect(order.indexOf('killOp')).toBeGreaterThan(order.lastIndexOf('insert'));
    expect(operations.map(({ opid }) => opid)).toEqual([1, 2, 3, 4, 5]);
  });

  it('stops when the server refuses to end one, and says why', async () => {
    const saved = await backup();
    const before = inShop();
    operations = [working(7)];
    interrupt = ({ name }) => (name === 'killOp' ? failure(13, 'not authorized on admin', 'Unauthorized') : null);
    await expect(restore(saved, { ...parts, endSessions: true })).rejects.toMatchObject({
      code: 'DATABASE_IN_USE',
      cause: { code: 'DATABASE_PERMISSION' },
    });
    expect(inShop()).toEqual(before);
  });

  it('does not mind one that went by itself', async () => {
    const saved = await backup();
    operations = [working(7)];
    interrupt = ({ name }) => {
      if (name !== 'killOp') return null;
      operations = [];
      return failure(2, 'no such operation', 'BadValue');
    };
    expect(await restore(saved, { ...parts, endSessions: true })).toMatchObject({ itemsWritten: 1 });
  });

  it('goes on where nobody can tell, and says so once', async () => {
    const saved = await backup();
    const told: string[] = [];
    interrupt = ({ name }) => (name === 'currentOp' ? failure(13, 'not authorized on admin', 'Unauthorized') : null);
    const log = (level: string, text: string) => void (level === 'warn' && told.push(text));
    expect(await restore(saved, parts, { log })).toMatchObject({ itemsWritten: 1 });
    expect(told).toEqual([expect.stringMatching(/^Who is connected is unknown: .*inprog/)]);
  });

  it('asks nobody to go where nothing is replaced', async () => {
    const saved = await backup();
    operations = [working(7)];
    expect(await restore(saved, { rename: ['shop=copy'] })).toMatchObject({ itemsWritten: 1 });
    expect([fake.of('currentOp').length, killed()]).toEqual([0, []]);
  });

  it('says in a dry run who would stop it', async () => {
    const saved = await backup();
    const told: string[] = [];
    const log = (level: string, text: string) => void (level === 'warn' && told.push(text));
    operations = [working(7)];
    await restore(saved, parts, { isDryRun: true, log });
    expect(told).toEqual([expect.stringMatching(/^The restore of "shop" would stop: .*in use: .*10\.0\.0\.7:7/)]);
    told.length = 0;
    await restore(saved, { ...parts, endSessions: true }, { isDryRun: true, log });
    expect([told, killed()]).toEqual([[], []]);
  });
});

describe('a restore of MongoDB into another version', () => {
  const moveTo = async (version: string) => {
    await fake.stop();
    fake = await FakeMongo.start({ version, isReplicaSet: true, onCommand: (command) => answer(command) });
  };

  it.each([
    ['6.0.4', 'DATABASE_SERVER_OLDER'],
    ['8.0.1', 'DATABASE_SERVER_NEWER'],
  ])('stops before it makes anything there (%s)', async (version, code) => {
    const saved = await backup();
    await moveTo(version);
    await expect(restore(saved, {})).rejects.toMatchObject({
      code,
      params: { name: '"shop"', saved: 'MongoDB 7.0.20', target: `MongoDB ${version}` },
    });
    const written = fake.commands.filter(({ name }) => ['insert', 'update', 'create', 'drop'].includes(name));
    expect([fake.namespaces, written]).toEqual([[], []]);
  });

  it('goes on where that is accepted, or only the last number is another', async () => {
    const saved = await backup();
    const warned = async (options: object, isDryRun = false) => {
      const told: string[] = [];
      const log = (level: string, text: string) => void (level === 'warn' && told.push(text));
      expect(await restore(saved, { ...options }, { log, isDryRun })).toMatchObject({
        itemsWritten: expect.any(Number),
      });
      return told;
    };
    await moveTo('8.0.1');
    const stop = /^The restore of "shop" would stop: .*MongoDB 7\.0\.20.*MongoDB 8\.0\.1.*newer/;
    expect(await warned({}, true)).toEqual([expect.stringMatching(stop)]);
    expect(await warned({ acceptOtherVersion: true })).toEqual([expect.stringMatching(/^"shop" was dumped .*newer/)]);
    await moveTo('7.0.2');
    expect(await warned({})).toEqual([]);
  });
});
