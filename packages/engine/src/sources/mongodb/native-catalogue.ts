/** What a dump takes of a database: its collections, views and time series with their options and indexes. */
import { type Db, MongoServerError } from 'mongodb';
import { orCancelled } from '../../ports/pull-body.ts';
import {
  BUCKETS_PREFIX,
  type CollectionMetadata,
  type CollectionType,
  type Namespace,
  namespaceName,
} from './archive-format.ts';
import { formatMetadata } from './archive-prelude.ts';
import { decodeOrdered, type OrderedDocument } from './bson-ordered.ts';
import type { NativeDumpOptions } from './native-options.ts';
import type { NativeServer } from './native-server.ts';

const NAMESPACE_NOT_FOUND = 26;

export interface CollectionToDump {
  readonly about: CollectionMetadata;
  /** Where its documents are read. */
  readonly stream: Namespace;
  /** By the index on `_id`; or as they lie, where there is none or the order of insertion counts. */
  readonly order: 'id' | 'natural';
  readonly isRawSeries: boolean;
}

interface Listed {
  readonly name: string;
  readonly type: CollectionType;
  readonly options: OrderedDocument;
  readonly uuid: string | null;
}

/** In the order of their names. Throws CANCELLED, errors of the driver. */
export async function listForDump(options: NativeDumpOptions, server: NativeServer): Promise<CollectionToDump[]> {
  const { client, database, signal, wants = () => true } = options;
  const db = client.db(database);
  const listed: Listed[] = [];
  const documents = await orCancelled(db.listCollections({}, { raw: true, signal }).toArray(), signal);
  for (const document of documents) {
    const found = readListed(decodeOrdered(document as unknown as Uint8Array));
    if (!isInternal(found.name) && wants(found.name)) listed.push(found);
  }
  listed.sort((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)));
  const toDump: CollectionToDump[] = [];
  for (const each of listed) {
    const indexes = each.type === 'view' ? [] : await listIndexes(db, each.name, signal);
    if (indexes) toDump.push(describe({ db: database, collection: each.name }, { ...each, indexes }, server));
    else options.note(`Left out ${namespaceName({ db: database, collection: each.name })}: it was dropped meanwhile.`);
  }
  return toDump;
}

/** As mongodump leaves them out: they belong to the server, or hold users. */
function isInternal(name: string): boolean {
  return (name.startsWith('system.') && name !== 'system.js') || name.includes('$');
}

function readListed(document: OrderedDocument): Listed {
  const options = document.get('options');
  const info = document.get('info');
  const uuid = info instanceof Map ? info.get('uuid') : undefined;
  const type = document.get('type');
  return {
    name: String(document.get('name')),
    type: type === 'view' || type === 'timeseries' ? type : 'collection',
    options: options instanceof Map ? options : new Map(),
    uuid: isUuid(uuid) ? uuid.toString('hex') : null,
  };
}

function isUuid(value: unknown): value is { toString(encoding: 'hex'): string } {
  return typeof value === 'object' && value !== null && '_bsontype' in value && value._bsontype === 'Binary';
}

/** Null: there is no such collection. */
async function listIndexes(db: Db, collection: string, signal: AbortSignal): Promise<OrderedDocument[] | null> {
  try {
    const indexes = await orCancelled(db.collection(collection).listIndexes({ raw: true }).toArray(), signal);
    return indexes.map((document) => decodeOrdered(document as Uint8Array));
  } catch (error) {
    if (error instanceof MongoServerError && error.code === NAMESPACE_NOT_FOUND) return null;
    throw error;
  }
}

function describe(
  namespace: Namespace,
  { type, options, uuid, indexes }: Listed & { readonly indexes: OrderedDocument[] },
  server: NativeServer,
): CollectionToDump {
  const { db, collection } = namespace;
  const metadata = formatMetadata({ collection, type }, { uuid, options, indexes });
  const isSeries = type === 'timeseries';
  const hasIdIndex = indexes.some((index) => index.get('name') === '_id_' && index.get('clustered') === undefined);
  return {
    about: { db, collection, type, metadata, size: 0 },
    stream: isSeries && !server.hasPlainSeries ? { db, collection: `${BUCKETS_PREFIX}${collection}` } : namespace,
    order: isSeries || options.get('capped') === true || !hasIdIndex ? 'natural' : 'id',
    isRawSeries: isSeries && server.hasPlainSeries,
  };
}
