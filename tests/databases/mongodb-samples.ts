/** Databases to be saved, and what is in them as text: every document byte for byte, every index and option. */
import { createHash } from 'node:crypto';
import { mkdirSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { BSON, type MongoClient } from 'mongodb';
import { findFerretdb } from '../servers/ferretdb.ts';
import { findMongoTools } from '../support/mongo-tools.ts';

const { Binary, BSONRegExp, Double, Long, ObjectId, Timestamp } = BSON;

/** Why these tests cannot run here; empty: they can. */
export function whyNoMongodb(): string {
  const tools = findMongoTools();
  return 'reason' in tools ? tools.reason : findFerretdb().whyNot;
}

/** A folder with the two programs in it, as an administrator would name one. */
export function makeToolFolder(folder: string): string {
  const tools = findMongoTools();
  if ('reason' in tools) throw new Error(tools.reason);
  mkdirSync(folder, { recursive: true });
  for (const name of ['mongodump', 'mongorestore'] as const) symlinkSync(tools[name], path.join(folder, name));
  return folder;
}

/** Names that FerretDB takes; others are tested beside the code. */
const ODD_COLLECTIONS = ['x y', '-h', 'a=b', 'ünï', 'a*b', 'a/b', 'back\\slash', 'a%2Fb'];
export const DATABASES = ['shop', 'other', '-h'];

/** Documents of many types. */
function order(index: number) {
  return {
    _id: index,
    text: `${'ü'.repeat(index % 40)}"\\\n`,
    at: new Date(index * 1e9),
    whole: new Double(3),
    zero: new Double(-0),
    long: Long.fromString('9007199254740993'),
    nothing: null,
    nested: { list: [1, 'two', { three: false }], empty: {}, none: [] },
    bytes: new Binary(Buffer.from([index & 255, 0])),
    stamp: new Timestamp({ t: 7, i: index }),
    pattern: new BSONRegExp('^a"', 'i'),
    id: new ObjectId(String(index).padStart(24, '0')),
  };
}

/** Fills a server. */
export async function fill(client: MongoClient): Promise<void> {
  const shop = client.db('shop');
  await shop.collection<{ _id: number }>('orders').insertMany(Array.from({ length: 700 }, (_, index) => order(index)));
  await shop.collection('orders').createIndex({ text: 1, at: -1 }, { name: 'by text' });
  await shop.collection('orders').createIndex({ whole: 1, _id: 1 }, { unique: true });
  await shop.createCollection('empty');
  await shop.createCollection('log', { capped: true, size: 65_536, max: 1000 });
  await shop.collection('log').insertMany([{ line: 2 }, { line: 1 }]);
  for (const name of ODD_COLLECTIONS) {
    await shop.collection<{ _id: string }>(name).insertOne({ _id: name });
    await shop.collection(name).createIndex({ [name]: 1 }, { name: `on ${name}` });
  }
  await client
    .db('other')
    .collection('few')
    .insertMany([{ a: 1 }, { a: 2 }]);
  await client.db('-h').collection('few').insertOne({ a: 1 });
}

/** What a restore must bring back. */
export async function describeDatabase(client: MongoClient, name: string): Promise<string> {
  const db = client.db(name);
  const collections = await db.listCollections({}, { nameOnly: false }).toArray();
  const lines: string[] = [];
  for (const { name: collection, type, options } of collections) {
    const indexes = await db.collection(collection).listIndexes().toArray();
    const words = indexes.map((index) => JSON.stringify(index)).sort();
    const hash = createHash('sha256');
    let count = 0;
    const capped = options?.capped === true;
    const cursor = db.collection(collection).find({}, { raw: true, ...(capped ? {} : { sort: { _id: 1 } }) });
    for await (const bytes of cursor) {
      hash.update(bytes as unknown as Buffer);
      count += 1;
    }
    lines.push(`${collection} ${type} ${JSON.stringify(options)} ${words} ${count} ${hash.digest('hex')}`);
  }
  return lines.sort().join('\n');
}

/** What somebody should not have done. */
export async function damage(client: MongoClient): Promise<void> {
  const shop = client.db('shop');
  await shop.collection('orders').deleteMany({ _id: { $gt: 30 } } as never);
  await shop.collection('orders').updateOne({}, { $set: { text: 'changed' } });
  await shop.collection('orders').dropIndex('by text');
  await shop.collection('empty').drop();
  await shop.collection('x y').drop();
  await shop.collection('more').insertOne({ a: 1 });
  await client.db('other').dropDatabase();
}

export async function databaseNames(client: MongoClient): Promise<string[]> {
  const { databases } = await client.db('admin').admin().listDatabases();
  return databases.map(({ name }) => name).sort();
}
