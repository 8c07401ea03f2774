/**
 * The archive format of mongodump, with mongodump and mongorestore as judges, and the native path between them, against
 * FerretDB. It takes no views, time series or rarer types: for those the server of bytes stands in, that unit tests use.
 * It refuses the indexes of mongorestore as well, which names their namespace in them.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream, createWriteStream, readFileSync, writeFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { BSON, MongoClient } from 'mongodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ArchiveInventory } from '../../packages/engine/src/sources/mongodb/archive-format.ts';
import { scanArchive } from '../../packages/engine/src/sources/mongodb/archive-scanner.ts';
import { dumpDatabaseNatively } from '../../packages/engine/src/sources/mongodb/native-dump.ts';
import { restoreArchiveNatively } from '../../packages/engine/src/sources/mongodb/native-restore.ts';
import { FakeMongo, type FakeSetup } from '../../packages/engine/src/testing/fake-mongo.ts';
import { ODD_DOCUMENTS } from '../../packages/engine/src/testing/mongo-archives.ts';
import { type FerretdbServer, findFerretdb, startFerretdb } from '../servers/ferretdb.ts';
import { findMongoTools, type MongoTools } from '../support/mongo-tools.ts';
import { makeWorkFolder } from '../support/work-folder.ts';

const found = findMongoTools();
const whyNot = 'reason' in found ? found.reason : findFerretdb().whyNot;
const tools = found as MongoTools;
const folder = makeWorkFolder('mongodb-archive');
let server: FerretdbServer;
const servers: FerretdbServer[] = [];
let client: MongoClient;

/** A test that needs the tools and the server. */
function test(name: string, run: () => Promise<void>): void {
  it(name, async (context) => {
    if (whyNot !== '') context.skip(whyNot);
    await run();
  });
}

const LARGE = { count: 18, bytes: 1_000_000 };

async function fill(): Promise<void> {
  const db = client.db('shop');
  const orders = Array.from({ length: 3000 }, (_, index) => ({
    _id: index,
    text: 'ü'.repeat(index % 50),
    when: new Date(index * 1e9),
    zero: new BSON.Double(-0),
    whole: new BSON.Double(3),
    long: BSON.Long.fromString('9007199254740993'),
    list: [1, 'two', { three: null }],
    bytes: new BSON.Binary(Buffer.from([index & 255]), 0x80),
    stamp: new BSON.Timestamp({ t: 1, i: index }),
    pattern: new BSON.BSONRegExp('^a', 'i'),
  }));
  await db.collection<{ _id: number }>('orders').insertMany(orders);
  await db.collection('orders').createIndex({ text: 1, when: -1 });
  await db.collection('orders').createIndex({ whole: 1, _id: 1 }, { unique: true, name: 'one of a kind' });
  await db.createCollection('empty');
  await db.createCollection('log', { capped: true, size: 65_536 });
  await db.collection('log').insertMany([{ line: 1 }, { line: 2 }]);
  // Each larger than what mongodump holds of a collection, so that they take turns in its archive.
  for (const name of ['a', 'b']) {
    for (let id = 0; id < LARGE.count; id += 1) {
      const text = `${name}${id}`.padEnd(LARGE.bytes, 'x');
      await client.db('bulk').collection<{ _id: number; text: string }>(name).insertOne({ _id: id, text });
    }
  }
}

async function start(name: string, port?: number): Promise<FerretdbServer> {
  const started = await startFerretdb({ folder: folder.at(name), ...(port === undefined ? {} : { port }) });
  servers.push(started);
  return started;
}

beforeAll(async () => {
  if (whyNot !== '') return;
  server = await start('server');
  client = new MongoClient(server.uri);
  await fill();
});

afterAll(async () => {
  await client?.close();
  for (const fake of fakes) await fake.stop();
  for (const each of servers) await each.stop('SIGKILL');
  folder.remove();
});

function run(tool: keyof MongoTools, ...args: string[]): { readonly status: number | null; readonly messages: string } {
  const { status, stderr } = spawnSync(tools[tool], [`--uri=${server.uri}`, ...args], { encoding: 'utf8' });
  return { status, messages: stderr };
}

async function dumpHere(database: string, file: string, from = client): Promise<ArchiveInventory> {
  const inventories: ArchiveInventory[] = [];
  const archive = dumpDatabaseNatively({
    client: from,
    database,
    signal: new AbortController().signal,
    note: () => {},
    onInventory: (inventory) => inventories.push(inventory),
  });
  await pipeline(archive, createWriteStream(file));
  return inventories[0] as ArchiveInventory;
}

async function restoreHere(file: string, database: string, to = client): Promise<void> {
  await restoreArchiveNatively(createReadStream(file), {
    client: to,
    signal: new AbortController().signal,
    label: 'shop',
    existing: 'refuse',
    rename: ({ collection }) => ({ db: database, collection }),
    note: () => {},
  });
}

/** All that two servers must have in common, documents by their checksum. */
const compared = ({ collections }: ArchiveInventory) =>
  collections.map(({ db: _, uuid: __, ...rest }) => rest).sort((a, b) => (a.collection < b.collection ? -1 : 1));

describe("mongodump's archives", () => {
  test('are understood, and hold what the native ones hold', async () => {
    const [theirs, ours] = [folder.at('theirs'), folder.at('ours')];
    expect(run('mongodump', '--db=shop', `--archive=${theirs}`, '--numParallelCollections=4')).toMatchObject({
      status: 0,
    });
    const inventory = await scanArchive(createReadStream(theirs));
    expect(compared(inventory).map(({ collection, documents }) => [collection, documents])).toEqual([
      ...[
        ['empty', 0],
        ['log', 2],
        ['orders', 3000],
      ],
    ]);
    const native = await dumpHere('shop', ours);
    expect(compared(inventory)).toEqual(compared(native));
    const uuids = ({ collections }: ArchiveInventory) => collections.map(({ uuid }) => uuid).sort();
    expect(uuids(native)).toEqual(uuids(inventory));
    await dumpHere('shop', folder.at('ours again'));
    expect(readFileSync(folder.at('ours again')).equals(readFileSync(ours))).toBe(true);
  });

  test('are understood when their collections take turns', async () => {
    const theirs = folder.at('turns');
    const args = ['--db=bulk', `--archive=${theirs}`, '--numParallelCollections=2'];
    expect(run('mongodump', ...args)).toMatchObject({ status: 0 });
    const inventory = await scanArchive(createReadStream(theirs));
    expect(compared(inventory)).toEqual(compared(await dumpHere('bulk', folder.at('no turns'))));
    expect(inventory.collections.map(({ documents }) => documents)).toEqual([LARGE.count, LARGE.count]);
  });

  test('are restored over the driver', async () => {
    const theirs = folder.at('for the driver');
    expect(run('mongodump', '--db=shop', `--archive=${theirs}`)).toMatchObject({ status: 0 });
    await restoreHere(theirs, 'driver');
    const copy = await dumpHere('driver', folder.at('copy of the driver'));
    expect(compared(copy)).toEqual(compared(await scanArchive(createReadStream(theirs))));
    await expect(restoreHere(theirs, 'driver')).rejects.toMatchObject({ code: 'DATABASE_EXISTS' });
  });
});

describe('native archives', () => {
  test('are restored by mongorestore', async () => {
    const ours = folder.at('for mongorestore');
    const inventory = await dumpHere('shop', ours);
    const to = ['--nsFrom=shop.*', '--nsTo=stock.*', '--noIndexRestore', `--archive=${ours}`];
    expect(run('mongorestore', '--dryRun', ...to)).toMatchObject({ status: 0 });
    const { status, messages } = run('mongorestore', ...to);
    expect(messages).toContain('0 document(s) failed to restore');
    expect(status).toBe(0);
    const copy = await dumpHere('stock', folder.at('copy of mongorestore'));
    const withoutIndexes = compared(inventory).map((each) => ({ ...each, indexes: ['_id_'] }));
    expect(compared(copy)).toEqual(withoutIndexes);
  });

  test('are refused by both when they are damaged', async () => {
    const ours = readFileSync(await dumpedOrders());
    const middle = ours.indexOf('üüüü') + 1;
    const flipped = Buffer.from(ours);
    flipped[middle] = (flipped[middle] as number) ^ 1;
    for (const [name, bytes] of Object.entries({ flipped, cut: ours.subarray(0, -20) })) {
      const file = folder.at(name);
      writeFileSync(file, bytes);
      const theirs = run(
        'mongorestore',
        '--nsFrom=shop.*',
        `--nsTo=${name}.*`,
        '--noIndexRestore',
        `--archive=${file}`,
      );
      expect(theirs.status, theirs.messages).not.toBe(0);
      await expect(restoreHere(file, `${name}2`)).rejects.toMatchObject({ code: 'DATABASE_DUMP_DAMAGED' });
    }
  });
});

describe('views, time series and rarer types, on a server of bytes', () => {
  const setup: FakeSetup = {
    batchSize: 3,
    collections: {
      'shop.odd': { documents: ODD_DOCUMENTS, options: { validator: { a: { $exists: true } } } },
      'shop.view': { type: 'view', options: { viewOn: 'odd', pipeline: [{ $match: { a: { $regex: '^a' } } }] } },
      'shop.series': { type: 'timeseries', options: { timeseries: { timeField: 't' } } },
      'shop.system.buckets.series': { documents: ODD_DOCUMENTS.slice(0, 2) },
    },
  };

  test('are the same in archives of both', async () => {
    const fake = await startFake(setup);
    const theirs = folder.at('their odd ones');
    await runBeside('mongodump', fake, '--db=shop', `--archive=${theirs}`);
    const inventory = await scanArchive(createReadStream(theirs));
    const native = await dumpHere('shop', folder.at('our odd ones'), await fake.connect());
    expect(compared(native)).toEqual(compared(inventory));
    expect(compared(native).map(({ type, documents }) => [type, documents])).toEqual([
      ...[
        ['collection', ODD_DOCUMENTS.length],
        ['timeseries', 2],
        ['view', 0],
      ],
    ]);
    const to = await startFake({});
    await restoreHere(theirs, 'shop', await to.connect());
    expect(to.documents('shop.odd').map(hex)).toEqual(ODD_DOCUMENTS.map(hex));
  });

  test('are taken by mongorestore', async () => {
    const fake = await startFake(setup);
    const ours = folder.at('odd ones for mongorestore');
    await dumpHere('shop', ours, await fake.connect());
    const to = await startFake({});
    await runBeside('mongorestore', to, `--archive=${ours}`);
    expect(to.names('create').sort()).toEqual(['shop.odd', 'shop.series', 'shop.view']);
    expect(to.documents('shop.odd').map(hex).sort()).toEqual(ODD_DOCUMENTS.map(hex).sort());
    expect(to.documents('shop.system.buckets.series').length).toBe(2);
  });
});

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const fakes: FakeMongo[] = [];

async function startFake(setup: FakeSetup): Promise<FakeMongo> {
  const fake = await FakeMongo.start(setup);
  fakes.push(fake);
  return fake;
}

/** Not waiting in one piece: the server is in this process. */
async function runBeside(tool: keyof MongoTools, fake: FakeMongo, ...args: string[]): Promise<void> {
  const uri = `--uri=mongodb://${fake.address}/?directConnection=true`;
  const child = spawn(tools[tool], [uri, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  const messages = text(child.stderr);
  const [status] = await once(child, 'exit');
  expect(status, await messages).toBe(0);
}

/** Of the collection with small documents alone. */
async function dumpedOrders(): Promise<string> {
  const file = folder.at('orders');
  const archive = dumpDatabaseNatively({
    client,
    database: 'shop',
    signal: new AbortController().signal,
    wants: (name) => name === 'orders',
    note: () => {},
    onInventory: () => {},
  });
  await pipeline(archive, createWriteStream(file));
  return file;
}

describe('a server that is killed', () => {
  test('ends a dump and a restore with an error', async () => {
    const archive = folder.at('large ones');
    await dumpHere('bulk', archive);
    const other = await start('other');
    const options = { serverSelectionTimeoutMS: 2000, retryReads: false };
    const guest = new MongoClient(other.uri, options);
    await restoreHere(archive, 'bulk', guest);
    const dumping = dumpDatabaseNatively({
      client: guest,
      database: 'bulk',
      signal: new AbortController().signal,
      note: () => {},
      onInventory: () => {},
    });
    await expect(killedAfter(dumping, 20, other)).rejects.toMatchObject({
      name: expect.stringMatching(/^Mongo(Network|ServerSelection|PoolCleared)Error$/),
    });
    const again = await start('other', other.port);
    const restoring = restoreArchiveNatively(piecesAndKill(archive, again), {
      client: guest,
      signal: new AbortController().signal,
      label: 'shop',
      existing: 'drop',
      note: () => {},
    });
    await expect(restoring).rejects.toMatchObject({
      name: expect.stringMatching(/^Mongo(Network|ServerSelection|PoolCleared)Error$/),
    });
    await guest.close();
  });
});

async function killedAfter(archive: AsyncIterable<Uint8Array>, pieces: number, victim: FerretdbServer): Promise<void> {
  let taken = 0;
  for await (const _ of archive) {
    taken += 1;
    if (taken === pieces) await victim.stop('SIGKILL');
  }
}

async function* piecesAndKill(file: string, victim: FerretdbServer): AsyncGenerator<Uint8Array> {
  let taken = 0;
  for await (const chunk of createReadStream(file, { highWaterMark: 1_000_000 })) {
    yield chunk;
    taken += 1;
    if (taken === 12) await victim.stop('SIGKILL');
  }
}
