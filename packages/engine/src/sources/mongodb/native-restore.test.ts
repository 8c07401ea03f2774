import { setTimeout as delay } from 'node:timers/promises';
import { BSON } from 'mongodb';
import { afterEach, describe, expect, it } from 'vitest';
import { FakeMongo, type FakeSetup, failure } from '../../testing/fake-mongo.ts';
import {
  block,
  chunked,
  contents,
  endBlock,
  everyType,
  ODD_DOCUMENTS,
  STOCK_ARCHIVE,
  sampleArchive,
} from '../../testing/mongo-archives.ts';
import { dumpDatabaseNatively } from './native-dump.ts';
import type { NativeRestoreOptions, RestoredNamespace } from './native-options.ts';
import { restoreArchiveNatively } from './native-restore.ts';

const fakes: FakeMongo[] = [];

afterEach(async () => {
  for (const fake of fakes.splice(0)) await fake.stop();
});

async function start(setup: FakeSetup = {}): Promise<FakeMongo> {
  const fake = await FakeMongo.start(setup);
  fakes.push(fake);
  return fake;
}

async function restore(
  fake: FakeMongo,
  archive: AsyncIterable<Uint8Array>,
  options: Partial<NativeRestoreOptions> = {},
): Promise<{ readonly restored: readonly RestoredNamespace[]; readonly notes: readonly string[] }> {
  const notes: string[] = [];
  const restored = await restoreArchiveNatively(archive, {
    client: await fake.connect(),
    signal: new AbortController().signal,
    label: 'shop',
    existing: 'refuse',
    note: (note) => notes.push(note),
    ...options,
  });
  return { restored, notes };
}

const serialize = (document: object): Buffer => Buffer.from(BSON.serialize(document));

/** Of one collection. */
function archiveOf(documents: readonly Buffer[], options: object = {}): Buffer {
  return Buffer.concat([
    contents([{ db: 'shop', collection: 'a', options }]),
    block('shop', 'a', documents),
    endBlock('shop', 'a', documents),
  ]);
}

describe('a restore over the driver', () => {
  it('writes each document as the bytes that another server sent', async () => {
    const from = await start({ batchSize: 2, collections: { 'shop.odd': { documents: ODD_DOCUMENTS } } });
    const to = await start();
    const archive = dumpDatabaseNatively({
      client: await from.connect(),
      database: 'shop',
      signal: new AbortController().signal,
      note: () => {},
      onInventory: () => {},
    });
    const { restored } = await restore(to, archive);
    expect(restored).toMatchObject([
      { documents: ODD_DOCUMENTS.length, bytes: ODD_DOCUMENTS.reduce((sum, { length }) => sum + length, 0) },
    ]);
    expect(to.documents('shop.odd').map((bytes) => bytes.toString('hex'))).toEqual(
      ODD_DOCUMENTS.map((bytes) => bytes.toString('hex')),
    );
  });

  it('takes what mongodump wrote', async () => {
    const fake = await start();
    const { restored, notes } = await restore(fake, chunked(STOCK_ARCHIVE, 50));
    expect(restored.map(({ to, documents, indexes }) => [to.collection, documents, indexes])).toEqual([
      ['a', 3, 1],
      ['b', 1, 0],
    ]);
    expect(notes).toEqual([]);
    const created = new Map(fake.of('create').map(({ body }) => [body.create, body]));
    expect([...created.keys()].sort()).toEqual(['a', 'b']);
    expect(created.get('b')).toMatchObject({ capped: true, size: 4096 });
    expect(fake.of('createIndexes').map(({ body }) => body.indexes)).toEqual([
      [{ key: { t: 1 }, name: 't_1', unique: true }],
    ]);
  });

  it('takes everything, with views last and time series by their buckets', async () => {
    const fake = await start();
    const { restored, notes } = await restore(fake, chunked(sampleArchive(), 30), {
      rename: ({ db, collection }) => ({ db: `${db}2`, collection: collection === 'a' ? 'first' : collection }),
    });
    expect(restored.map(({ from, to, documents }) => [`${from.db}.${from.collection}`, to, documents])).toEqual([
      ['shop.a', { db: 'shop2', collection: 'first' }, 5],
      ['shop.b', { db: 'shop2', collection: 'b' }, 2],
      ['shop.empty', { db: 'shop2', collection: 'empty' }, 0],
      ['shop.series', { db: 'shop2', collection: 'series' }, 1],
      ['other.a.b$', { db: 'other2', collection: 'a.b$' }, 1],
      ['shop.view', { db: 'shop2', collection: 'view' }, 0],
    ]);
    expect(fake.names('create').at(-1)).toBe('shop2.view');
    expect(fake.of('create').at(-1)?.body).toMatchObject({ viewOn: 'a', pipeline: [] });
    expect(fake.documents('shop2.system.buckets.series').length).toBe(1);
    expect(fake.documents('shop2.first').length).toBe(5);
    expect(notes).toEqual([
      'Left out shop.$admin.system.users: users, roles and the operations log need mongorestore.',
      'Left out .oplog: users, roles and the operations log need mongorestore.',
    ]);
  });

  it('takes what is wanted alone', async () => {
    const fake = await start();
    await restore(fake, chunked(sampleArchive(), 30), { wants: ({ collection }) => collection === 'b' });
    expect(fake.names('create')).toEqual(['shop.b']);
    expect(fake.documents('shop.b').length).toBe(2);
  });

  it('touches nothing that is there unless it may', async () => {
    const present = { 'shop.a': { documents: [everyType(7)] } };
    const refused = await start({ collections: present });
    const archive = archiveOf([everyType(1)]);
    await expect(restore(refused, chunked(archive))).rejects.toMatchObject({ code: 'DATABASE_EXISTS' });
    expect(refused.of('insert')).toEqual([]);
    const added = await start({ collections: present });
    expect((await restore(added, chunked(archive), { existing: 'add' })).notes.length).toBe(1);
    expect([added.names('create'), added.names('drop'), added.documents('shop.a').length]).toEqual([[], [], 2]);
    const dropped = await start({ collections: present });
    await restore(dropped, chunked(archive), { existing: 'drop' });
    expect([dropped.names('drop'), dropped.documents('shop.a').length]).toEqual([['shop.a'], 1]);
  });

  it('does not make one of two', async () => {
    const fake = await start();
    const rename = ({ db }: { db: string }) => ({ db, collection: 'same' });
    await expect(restore(fake, chunked(sampleArchive()), { rename })).rejects.toThrow('would both become');
    expect(fake.of('create')).toEqual([]);
  });

  it('says which documents and indexes were refused, having tried all', async () => {
    const documents = [everyType(1), everyType(2), everyType(3)];
    const index = { v: 2, key: { t: 1 }, name: 't_1', unique: true };
    const fake = await start({
      onCommand: ({ name }) => {
        const writeErrors = [{ index: 1, code: 11000, errmsg: 'E11000 duplicate key error' }];
        if (name === 'insert') return { ok: 1, n: 2, writeErrors };
        return name === 'createIndexes' ? failure(11000, 'E11000 in the index', 'DuplicateKey') : null;
      },
    });
    const deltas: object[] = [];
    const options = { progress: (delta: object) => deltas.push(delta) };
    await expect(restore(fake, chunked(archiveOf(documents)), options)).rejects.toMatchObject({
      code: 'DATABASE_TOOL_FAILED',
      message: 'The restore failed: shop.a: 1 of 3 documents were refused (E11000 duplicate key error)',
    });
    const bytes = documents[0]?.byteLength ?? 0;
    expect(deltas).toEqual([{ documents: 2, bytes: 2 * bytes, namespace: 'shop.a' }]);
    await expect(restore(fake, chunked(STOCK_ARCHIVE))).rejects.toThrow(`index ${index.name}: E11000 in the index`);
  });

  it('does not stop at documents from before the rules of their collection', async () => {
    const fake = await start();
    await restore(fake, chunked(archiveOf([everyType(1)], { validator: { a: { $exists: true } } })));
    expect(fake.of('insert')[0]?.body.bypassDocumentValidation).toBe(true);
    expect(fake.of('create')[0]?.body.validator).toEqual({ a: { $exists: true } });
    const plain = await start();
    await restore(plain, chunked(archiveOf([everyType(1)], { autoIndexId: false, temp: true })));
    expect(plain.of('insert')[0]?.body.bypassDocumentValidation).toBe(undefined);
    expect(Object.keys(plain.of('create')[0]?.body ?? {})).not.toContain('temp');
  });

  it('lets a time series have buckets of mixed types', async () => {
    let inserts = 0;
    const fake = await start({
      onCommand: ({ name, documents }) => {
        if (name === 'insert') inserts += 1;
        const writeErrors = [{ index: 0, code: 408, errmsg: 'mixed schema' }];
        return inserts === 1 && documents.length > 0 ? { ok: 1, n: 1, writeErrors } : null;
      },
    });
    const buckets = [serialize({ _id: 1 }), serialize({ _id: 2 })];
    const archive = Buffer.concat([
      contents([{ db: 'shop', collection: 's', type: 'timeseries', options: { timeseries: { timeField: 't' } } }]),
      block('shop', 'system.buckets.s', buckets),
      endBlock('shop', 'system.buckets.s', buckets),
    ]);
    const { restored } = await restore(fake, chunked(archive));
    expect(restored).toMatchObject([{ documents: 2 }]);
    expect(fake.of('collMod').map(({ body }) => body.timeseriesBucketsMayHaveMixedSchemaData)).toEqual([true]);
    expect(fake.documents('shop.system.buckets.s')).toEqual([buckets[0]]);
  });

  it('asks servers to keep empty timestamps, and tells where they do not', async () => {
    const empty = new BSON.Timestamp({ t: 0, i: 0 });
    const archive = archiveOf([
      serialize({ _id: 1, t: empty }),
      serialize({ _id: empty }),
      serialize({ _id: 2, n: { empty } }),
    ]);
    for (const version of ['8.0.0', '7.0.13', '6.0.17', '5.0.29']) {
      const fake = await start({ version });
      expect((await restore(fake, chunked(archive))).notes).toEqual([]);
      expect(fake.of('insert')[0]?.body.bypassEmptyTsReplacement).toBe(true);
    }
    for (const version of ['7.0.12', '7.3.20', '4.4.29']) {
      const fake = await start({ version });
      const { notes } = await restore(fake, chunked(archive));
      expect(notes).toEqual([expect.stringMatching(/^1 documents have an empty timestamp/)]);
      expect(fake.of('insert')[0]?.body.bypassEmptyTsReplacement).toBe(undefined);
    }
  });

  it('fails when the archive is damaged or cut off', async () => {
    const archive = archiveOf([everyType(1)]);
    for (const length of [archive.byteLength - 1, archive.byteLength - 60, 50, 0]) {
      const fake = await start();
      await expect(restore(fake, chunked(archive.subarray(0, length), 10))).rejects.toMatchObject({
        code: 'DATABASE_DUMP_DAMAGED',
        message: expect.stringContaining('The dump of shop cannot be restored: it'),
      });
    }
  });

  it('fails with what the server or the archive failed with', async () => {
    const archive = archiveOf([everyType(1)]);
    const refused = await start({
      onCommand: ({ name }) => (name === 'insert' ? failure(13, 'not authorized on shop', 'Unauthorized') : null),
    });
    await expect(restore(refused, chunked(archive))).rejects.toThrow('not authorized on shop');
    const cut = await start({ onCommand: ({ name }) => (name === 'insert' ? 'cut' : null) });
    await expect(restore(cut, chunked(archive))).rejects.toThrow(/closed/);
    const unsure = await start({
      onCommand: ({ name }) =>
        name === 'insert' ? { ok: 1, n: 1, writeConcernError: { code: 64, errmsg: 'timed out' } } : null,
    });
    await expect(restore(unsure, chunked(archive))).rejects.toThrow(/timed out/);
    async function* broken() {
      yield archive.subarray(0, 30);
      throw new Error('the storage is gone');
    }
    await expect(restore(await start(), broken())).rejects.toThrow('the storage is gone');
  });

  it('has nothing on its way any more when it fails', async () => {
    const document = serialize({ _id: 1, data: Buffer.alloc(9_000_000) });
    const archive = archiveOf([document, document]);
    let begun = () => {};
    const isUnderWay = new Promise<void>((resolve) => {
      begun = resolve;
    });
    let answered = false;
    const fake = await start({
      onCommand: async ({ name }) => {
        if (name !== 'insert') return null;
        begun();
        await new Promise((resolve) => setTimeout(resolve, 100));
        answered = true;
        return null;
      },
    });
    async function* broken() {
      yield archive.subarray(0, 10_000_000);
      await isUnderWay;
      throw new Error('the storage is gone');
    }
    await expect(restore(fake, broken())).rejects.toThrow('the storage is gone');
    expect(answered).toBe(true);
  });

  it('ends when it is told to, also while it waits for the server', async () => {
    const stop = new AbortController();
    const fake = await start({
      onCommand: ({ name }) => {
        if (name !== 'insert') return null;
        stop.abort(new Error('stopped'));
        return new Promise(() => {});
      },
    });
    await expect(restore(fake, chunked(archiveOf([everyType(1)])), { signal: stop.signal })).rejects.toMatchObject({
      code: 'CANCELLED',
    });
  });

  it('waits for what is on its way when it is told to end: that would come after the collection was dropped', async () => {
    const stop = new AbortController();
    let isAnswered = false;
    const fake = await start({
      async onCommand({ name }) {
        if (name !== 'insert') return null;
        stop.abort(new Error('stopped'));
        await delay(200);
        isAnswered = true;
        return null;
      },
    });
    const restoring = restore(fake, chunked(archiveOf([everyType(1)])), { signal: stop.signal });
    await expect(restoring).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(isAnswered).toBe(true);
  });

  it('holds two batches at most, however much comes', async () => {
    const document = serialize({ _id: 1, data: Buffer.alloc(500_000) });
    const documents = Array.from({ length: 80 }, () => document);
    const archive = archiveOf(documents);
    let taken = 0;
    const arrived: number[] = [];
    async function* counted() {
      for await (const chunk of chunked(archive, 100_000)) {
        taken += chunk.byteLength;
        yield chunk;
      }
    }
    const fake = await start({
      onCommand: async ({ name, documents: batch }) => {
        if (name !== 'insert') return null;
        arrived.push(batch.length);
        // All that would come without waiting comes now.
        await new Promise((resolve) => setImmediate(resolve));
        const answered = arrived.reduce((sum, count) => sum + count, 0) * document.byteLength;
        expect(taken).toBeLessThan(answered + 9_000_000);
        return null;
      },
    });
    await restore(fake, counted());
    expect(arrived.reduce((sum, count) => sum + count, 0)).toBe(80);
    expect(Math.max(...arrived)).toBeLessThanOrEqual(17);
  });
});
