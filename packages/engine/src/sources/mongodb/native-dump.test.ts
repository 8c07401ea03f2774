import { BSON } from 'mongodb';
import { afterEach, describe, expect, it } from 'vitest';
import { FakeMongo, type FakeSetup, failure } from '../../testing/fake-mongo.ts';
import { chunked } from '../../testing/mongo-archives.ts';
import type { ArchiveInventory } from './archive-format.ts';
import { scanArchive } from './archive-scanner.ts';
import { dumpDatabaseNatively } from './native-dump.ts';
import type { NativeDumpOptions } from './native-options.ts';

const fakes: FakeMongo[] = [];

afterEach(async () => {
  for (const fake of fakes.splice(0)) await fake.stop();
});

async function start(setup: FakeSetup): Promise<FakeMongo> {
  const fake = await FakeMongo.start(setup);
  fakes.push(fake);
  return fake;
}

interface Dumped {
  readonly bytes: Buffer;
  readonly notes: readonly string[];
  readonly inventories: readonly ArchiveInventory[];
}

async function dump(fake: FakeMongo, options: Partial<NativeDumpOptions> = {}): Promise<Dumped> {
  const [notes, inventories, parts]: [string[], ArchiveInventory[], Uint8Array[]] = [[], [], []];
  const stream = dumpDatabaseNatively({
    client: await fake.connect(),
    database: 'shop',
    signal: new AbortController().signal,
    note: (note) => notes.push(note),
    onInventory: (inventory) => inventories.push(inventory),
    ...options,
  });
  for await (const chunk of stream) parts.push(chunk);
  return { bytes: Buffer.concat(parts), notes, inventories };
}

const documents = (count: number): Buffer[] =>
  Array.from({ length: count }, (_, index) => Buffer.from(BSON.serialize({ _id: index + 1, text: 'x'.repeat(index) })));
const told = ({ collections }: ArchiveInventory) => collections.map((each) => [each.collection, each.documents]);

describe('a dump over the driver', () => {
  it('holds the collections of the user in the order of their names, the same twice', async () => {
    const fake = await start({
      batchSize: 3,
      collections: {
        'shop.b': { documents: documents(10), uuid: 'b'.repeat(32) },
        'shop.ä': { documents: documents(1) },
        'shop.a': { documents: documents(0) },
        'shop.log': { documents: documents(2), options: { capped: true, size: 4096 } },
        'shop.heap': { documents: documents(2), indexes: [] },
        'shop.system.js': { documents: documents(1) },
        'shop.system.profile': { documents: documents(5) },
        'shop.system.views': { documents: documents(1) },
        'shop.view': { type: 'view', options: { viewOn: 'a', pipeline: [] }, documents: documents(1) },
        'shop.series': { type: 'timeseries', options: { timeseries: { timeField: 't' } } },
        'shop.system.buckets.series': { documents: documents(4) },
        'other.c': { documents: documents(9) },
      },
    });
    const { bytes, inventories, notes } = await dump(fake);
    const [inventory] = inventories as [ArchiveInventory];
    expect(told(inventory)).toEqual([
      ...[
        ['a', 0],
        ['b', 10],
        ['heap', 2],
        ['log', 2],
        ['series', 4],
      ],
      ...[
        ['system.js', 1],
        ['view', 0],
        ['ä', 1],
      ],
    ]);
    expect(await scanArchive(chunked(bytes, 100))).toEqual(inventory);
    expect(inventory.header).toMatchObject({ serverVersion: '7.0.20', toolVersion: 'BackupX', formatVersion: '0.1' });
    expect(inventory.collections[1]).toMatchObject({ uuid: 'b'.repeat(32), indexes: ['_id_'], options: '{}' });
    expect(notes).toEqual([expect.stringContaining('not of one moment')]);
    const finds = fake.of('find').map(({ body }) => [body.find, body.hint]);
    expect(finds).toContainEqual(['b', { _id: 1 }]);
    for (const name of ['log', 'heap', 'system.buckets.series']) expect(finds).toContainEqual([name, { $natural: 1 }]);
    expect(fake.names('find')).not.toContain('shop.view');
    expect(fake.of('find').every(({ body }) => body.readConcern === undefined)).toBe(true);
    expect((await dump(fake)).bytes.equals(bytes)).toBe(true);
  });

  it('holds what was wanted alone', async () => {
    const fake = await start({ collections: { 'shop.a': { documents: documents(1) }, 'shop.b': {} } });
    const { inventories } = await dump(fake, { wants: (name) => name === 'a' });
    expect(inventories.map(told)).toEqual([[['a', 1]]]);
  });

  it('reads time series of servers that have no buckets by their own name', async () => {
    const series = {
      type: 'timeseries',
      options: { timeseries: { timeField: 't' } },
      documents: documents(2),
    } as const;
    const fake = await start({ version: '8.3.0', collections: { 'shop.series': series } });
    expect((await dump(fake)).inventories.map(told)).toEqual([[['series', 2]]]);
    expect(fake.of('find').map(({ body }) => [body.find, body.rawData])).toEqual([['series', true]]);
  });

  it('is of one moment on a replica set', async () => {
    const collections = { 'shop.a': { documents: documents(10) }, 'shop.b': { documents: documents(1) } };
    const fake = await start({ isReplicaSet: true, batchSize: 4, collections });
    const client = await fake.connect({ readConcernLevel: 'majority' });
    const { notes, inventories } = await dump(fake, { client });
    expect(inventories.map(told)).toEqual([
      [
        ['a', 10],
        ['b', 1],
      ],
    ]);
    expect(notes).toEqual([]);
    const [first, second] = fake.of('find');
    expect(first?.body.readConcern).toEqual({ level: 'snapshot' });
    expect(second?.body.readConcern).toEqual({
      level: 'snapshot',
      atClusterTime: new BSON.Timestamp({ t: 100, i: 1 }),
    });
    expect(fake.of('listCollections')[0]?.body.readConcern).toBe(undefined);
  });

  it('goes on without one when the server has forgotten the moment', async () => {
    let mores = 0;
    const fake = await start({
      isReplicaSet: true,
      batchSize: 4,
      collections: { 'shop.a': { documents: documents(10) }, 'shop.b': { documents: documents(3) } },
      onCommand: ({ name }) => {
        if (name === 'getMore') mores += 1;
        return name === 'getMore' && mores === 2 ? failure(239, 'too old', 'SnapshotTooOld') : null;
      },
    });
    const { bytes, notes, inventories } = await dump(fake);
    expect(inventories.map(told)).toEqual([
      [
        ['a', 10],
        ['b', 3],
      ],
    ]);
    expect(notes).toEqual([expect.stringContaining('from shop.a on')]);
    expect(fake.of('find').map(({ body }) => body.readConcern?.level)).toEqual(['snapshot', undefined, undefined]);
    expect(fake.of('find')[1]?.body.min).toEqual({ _id: 8 });
    const quiet = await start({
      isReplicaSet: true,
      collections: { 'shop.a': { documents: documents(10) }, 'shop.b': { documents: documents(3) } },
    });
    expect((await dump(quiet)).bytes.equals(bytes)).toBe(true);
  });

  it('fails then where it cannot tell what is left', async () => {
    const fake = await start({
      isReplicaSet: true,
      batchSize: 1,
      collections: { 'shop.log': { documents: documents(3), options: { capped: true, size: 4096 } } },
      onCommand: ({ name }) => (name === 'getMore' ? failure(239, 'too old', 'SnapshotTooOld') : null),
    });
    await expect(dump(fake)).rejects.toThrow('too old');
  });

  it('leaves out, and says so, what was dropped before it could be looked at', async () => {
    const fake = await start({
      collections: { 'shop.a': { documents: documents(1) }, 'shop.gone': {} },
      onCommand: ({ name, body }) =>
        name === 'listIndexes' && body.listIndexes === 'gone' ? failure(26, 'gone', 'NamespaceNotFound') : null,
    });
    const { inventories, notes } = await dump(fake);
    expect(inventories.map(told)).toEqual([[['a', 1]]]);
    expect(notes).toContain('Left out shop.gone: it was dropped meanwhile.');
  });

  it('ends with an error when the server is gone, or refuses', async () => {
    const cut = await start({
      batchSize: 2,
      collections: { 'shop.a': { documents: documents(10) } },
      onCommand: ({ name }) => (name === 'getMore' ? 'cut' : null),
    });
    await expect(dump(cut)).rejects.toThrow(/closed/);
    const refused = await start({
      collections: { 'shop.a': {} },
      onCommand: ({ name }) => (name === 'find' ? failure(13, 'not authorized on shop', 'Unauthorized') : null),
    });
    await expect(dump(refused)).rejects.toThrow('not authorized on shop');
  });

  it('ends with an error when the server falls silent', async () => {
    let isSilent = false;
    const fake = await start({
      batchSize: 2,
      collections: { 'shop.a': { documents: documents(10) } },
      onCommand: ({ name }) => {
        isSilent ||= name === 'getMore';
        return isSilent ? new Promise(() => {}) : null;
      },
    });
    const limits = { heartbeatFrequencyMS: 500, connectTimeoutMS: 1000, serverSelectionTimeoutMS: 3000 };
    const client = await fake.connect(limits);
    await expect(dump(fake, { client })).rejects.toThrow(/interrupted|timed out/);
  });

  it('ends when it is told to, also while it waits for the server', async () => {
    const stop = new AbortController();
    const fake = await start({
      batchSize: 2,
      collections: { 'shop.a': { documents: documents(10) } },
      onCommand: ({ name }) => {
        if (name !== 'getMore') return null;
        stop.abort(new Error('stopped'));
        return new Promise(() => {});
      },
    });
    await expect(dump(fake, { signal: stop.signal })).rejects.toMatchObject({
      code: 'CANCELLED',
    });
    expect(fake.of('getMore').length).toBe(1);
  });

  it('asks for more only when somebody takes what there is', async () => {
    const large = Array.from({ length: 40 }, (_, index) =>
      Buffer.from(BSON.serialize({ _id: index, data: Buffer.alloc(300_000) })),
    );
    const fake = await start({ batchSize: 2, collections: { 'shop.a': { documents: large } } });
    const stream = dumpDatabaseNatively({
      client: await fake.connect(),
      database: 'shop',
      signal: new AbortController().signal,
      note: () => {},
      onInventory: () => {},
    });
    let pieces = 0;
    for await (const _ of stream) {
      pieces += 1;
      expect(fake.of('getMore').length).toBeLessThanOrEqual(pieces / 2);
    }
    expect(fake.of('getMore').length).toBe(19);
  });
});
