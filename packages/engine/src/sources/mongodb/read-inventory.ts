/** What the server says a database holds: collections, views, time series, and the indexes of each. */
import type { InventoryObject } from '../../ports/database-inventory.ts';
import type { ArchiveInventory } from './archive-format.ts';
import type { MongodbConnection } from './connection.ts';
import { OWN_COLLECTION } from './scratch-names.ts';

export interface FoundCollection {
  readonly name: string;
  readonly kind: 'collection' | 'view' | 'timeseries';
  readonly options: Readonly<Record<string, unknown>>;
}

/** Without those of the server itself, which no dump holds, and of restores. */
export async function listCollections(connection: MongodbConnection, database: string): Promise<FoundCollection[]> {
  return (await listAll(connection, database)).filter(
    ({ name }) => !OWN_COLLECTION.test(name) && (!name.startsWith('system.') || name === 'system.js'),
  );
}

/** All of them. */
export async function listAll(connection: MongodbConnection, database: string): Promise<FoundCollection[]> {
  const found = await connection.attempt(`list the collections of ${database}`, () =>
    connection.client.db(database).listCollections({}, { nameOnly: false, signal: connection.signal }).toArray(),
  );
  return found.map(({ name, type, options }) => {
    const kind = type === 'view' || type === 'timeseries' ? type : 'collection';
    return { name, kind, options: options ?? {} };
  });
}

/** Names, that of `_id` among them. */
export async function listIndexes(connection: MongodbConnection, database: string, name: string): Promise<string[]> {
  const indexes = await connection.attempt(`read the indexes of ${database}.${name}`, () =>
    connection.client
      .db(database)
      .collection(name)
      .listIndexes()
      .toArray()
      .catch((error: { code?: number }) => {
        // Dropped in between.
        if (error.code === 26) return [];
        throw error;
      }),
  );
  return indexes.map((index) => String(index.name));
}

/** For the comparison with a dump. An index is named for its collection too. */
export async function readInventory(connection: MongodbConnection, database: string): Promise<InventoryObject[]> {
  const objects: InventoryObject[] = [];
  for (const { name, kind } of await listCollections(connection, database)) {
    objects.push({ kind, name });
    if (kind === 'view') continue;
    const indexes = await listIndexes(connection, database, name);
    objects.push(...indexes.map((index) => ({ kind: 'index', name: `${name} ${index}` })));
  }
  return objects;
}

/** The same of an archive, with the number of documents. Users, roles and the operations log are none. */
export function objectsOfArchive({ collections }: ArchiveInventory, database: string): InventoryObject[] {
  return collections
    .filter(({ db }) => db === database)
    .flatMap(({ collection, type, documents, indexes }) => [
      { kind: type, name: collection, ...(type === 'collection' ? { rows: documents } : {}) },
      ...indexes.map((index) => ({ kind: 'index', name: `${collection} ${index}` })),
    ]);
}

/** Documents of a collection or view, counted one by one. */
export async function countDocuments(connection: MongodbConnection, database: string, name: string): Promise<number> {
  return await connection.attempt(`count ${database}.${name}`, () =>
    connection.client.db(database).collection(name).countDocuments({}, { signal: connection.signal }),
  );
}
