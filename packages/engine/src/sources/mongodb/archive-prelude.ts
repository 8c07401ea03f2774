/** The documents of an archive that are not the user's: its header, what it says of collections, heads of blocks. */
import {
  ArchiveError,
  type ArchiveHeader,
  type CollectionMetadata,
  type CollectionType,
  FORMAT_VERSION,
  type Namespace,
} from './archive-format.ts';
import {
  BSON_BOOLEAN,
  BSON_INT32,
  BSON_INT64,
  type BsonElement,
  BsonError,
  readElements,
  textOf,
} from './bson-elements.ts';
import { parseExtended } from './bson-json.ts';
import { formatExtended, type OrderedDocument } from './bson-ordered.ts';

/** The head of a block of documents, or of the end of a namespace. */
export interface BlockHead extends Namespace {
  readonly isEnd: boolean;
  /** Eight bytes, lowest first. */
  readonly crc: Buffer;
}

/** The options and indexes of a collection, as its metadata tells. */
export interface CollectionDetails {
  readonly uuid: string | null;
  readonly options: OrderedDocument;
  readonly indexes: readonly OrderedDocument[];
}

/** Elements of a document of the format: each at most once, each one known. */
class Fields {
  readonly #elements = new Map<string, BsonElement>();
  readonly #what: string;

  constructor(document: Buffer, what: string) {
    this.#what = what;
    try {
      for (const element of readElements(document)) {
        if (this.#elements.has(element.name)) throw this.#damaged();
        this.#elements.set(element.name, element);
      }
    } catch (error) {
      throw error instanceof BsonError ? this.#damaged() : error;
    }
  }

  #damaged(): ArchiveError {
    return new ArchiveError(`${this.#what} cannot be read`);
  }

  #take(name: string, ...types: number[]): Buffer {
    const element = this.#elements.get(name);
    if (!element || !types.includes(element.type)) throw this.#damaged();
    this.#elements.delete(name);
    return element.value;
  }

  text(name: string): string {
    const element = this.#elements.get(name);
    if (!element) throw this.#damaged();
    this.#elements.delete(name);
    try {
      return textOf(element);
    } catch {
      throw this.#damaged();
    }
  }

  textOr(name: string, otherwise: string): string {
    return this.#elements.has(name) ? this.text(name) : otherwise;
  }

  count(name: string): number {
    const value = this.#take(name, BSON_INT32, BSON_INT64);
    const count = value.byteLength === 4 ? value.readInt32LE(0) : Number(value.readBigInt64LE(0));
    if (count < 0 || !Number.isSafeInteger(count)) throw this.#damaged();
    return count;
  }

  flag(name: string): boolean {
    const [byte = 2] = this.#take(name, BSON_BOOLEAN);
    if (byte > 1) throw this.#damaged();
    return byte === 1;
  }

  int64(name: string): Buffer {
    return this.#take(name, BSON_INT64);
  }

  /** Nothing may be left. */
  end(): void {
    if (this.#elements.size > 0) throw this.#damaged();
  }
}

/** Throws ArchiveError. */
export function readHeader(document: Buffer): ArchiveHeader {
  const fields = new Fields(document, 'its header');
  const formatVersion = fields.text('version');
  if (formatVersion !== FORMAT_VERSION) {
    throw new ArchiveError(`it is of version ${JSON.stringify(formatVersion)}, and only ${FORMAT_VERSION} is known`);
  }
  return {
    concurrentCollections: fields.count('concurrent_collections'),
    formatVersion,
    serverVersion: fields.text('server_version'),
    toolVersion: fields.text('tool_version'),
  };
}

const TYPES: Readonly<Record<string, CollectionType>> = {
  '': 'collection',
  collection: 'collection',
  view: 'view',
  timeseries: 'timeseries',
};

/** Throws ArchiveError. */
export function readCollection(document: Buffer): CollectionMetadata {
  const fields = new Fields(document, 'what it says of a collection');
  const [db, collection] = [fields.text('db'), fields.text('collection')];
  const [metadata, size] = [fields.text('metadata'), fields.count('size')];
  const saidType = fields.textOr('type', '');
  const where = `${db}.${collection}`;
  if (collection === '') throw new ArchiveError('it has a collection without a name');
  const type = TYPES[saidType];
  if (type === undefined) throw new ArchiveError(`${where} is of an unknown type, ${JSON.stringify(saidType)}`);
  const { options } = readDetails({ db, collection, metadata });
  // Tools before version 100 wrote no type, and views dumped as collections are called views still.
  const shape = options.has('viewOn') ? 'view' : options.has('timeseries') ? 'timeseries' : 'collection';
  const isCopiedView = saidType === 'view' && shape === 'collection';
  if (metadata !== '' && saidType !== '' && type !== shape && !isCopiedView) {
    throw new ArchiveError(`what it says of ${where} does not fit together`);
  }
  return { db, collection, type: metadata === '' ? type : shape, metadata, size };
}

/** Throws ArchiveError. */
export function readDetails({
  db,
  collection,
  metadata,
}: Pick<CollectionMetadata, 'db' | 'collection' | 'metadata'>): CollectionDetails {
  if (metadata === '') return { uuid: null, options: new Map(), indexes: [] };
  const damaged = (cause?: unknown) =>
    new ArchiveError(`what it says of ${db}.${collection} cannot be read`, { cause });
  let details: OrderedDocument;
  try {
    details = parseExtended(metadata);
  } catch (error) {
    throw damaged(error);
  }
  const options = details.get('options') ?? new Map();
  const indexes = details.get('indexes') ?? [];
  const uuid = details.get('uuid') ?? '';
  const name = details.get('collectionName') ?? collection;
  if (!(options instanceof Map) || !Array.isArray(indexes) || !indexes.every(isIndex)) throw damaged();
  if (name !== collection || typeof uuid !== 'string' || !/^([0-9a-f]{32})?$/.test(uuid)) throw damaged();
  return { uuid: uuid || null, options, indexes };
}

function isIndex(index: unknown): index is OrderedDocument {
  return index instanceof Map && typeof index.get('name') === 'string' && index.get('key') instanceof Map;
}

/** The metadata text of a collection, as mongodump writes it. */
export function formatMetadata(
  { collection, type }: { readonly collection: string; readonly type: CollectionType },
  { uuid, options, indexes }: CollectionDetails,
): string {
  const metadata: OrderedDocument = new Map();
  if (options.size > 0) metadata.set('options', options);
  metadata.set('indexes', indexes);
  if (uuid !== null) metadata.set('uuid', uuid);
  metadata.set('collectionName', collection);
  metadata.set('type', type);
  return formatExtended(metadata);
}

/** Throws ArchiveError. */
export function readBlockHead(document: Buffer): BlockHead {
  const fields = new Fields(document, 'the head of a block');
  const head = {
    db: fields.text('db'),
    collection: fields.text('collection'),
    isEnd: fields.flag('EOF'),
    crc: fields.int64('CRC'),
  };
  fields.end();
  if (!head.isEnd && head.crc.some((byte) => byte !== 0)) throw new ArchiveError('the head of a block cannot be read');
  return head;
}
