/**
 * The words of mongodump's archive format (version 0.1): a magic number; a prelude of one header and one document per
 * collection; then blocks of documents, each headed by its namespace, where namespaces may take turns; and for each
 * namespace a block that ends it, with the CRC-64 of all of its documents. Each block, the prelude too, ends with four
 * bytes of ones.
 */

export const MAGIC = 0x8199e26d;
export const FORMAT_VERSION = '0.1';
export const TERMINATOR = 0xffffffff;
/** The largest document of a server, and what servers and tools may put around one. */
export const MAX_DOCUMENT_BYTES = 16 * 1024 * 1024 + 16 * 1024;
/** The smallest document there is. */
export const MIN_DOCUMENT_BYTES = 5;
/** Where servers before 8.3 keep the documents of a time series. */
export const BUCKETS_PREFIX = 'system.buckets.';

/** A collection by its full name. `db` is empty for the operations log alone. */
export interface Namespace {
  readonly db: string;
  readonly collection: string;
}

export type CollectionType = 'collection' | 'view' | 'timeseries';

export interface ArchiveHeader {
  readonly concurrentCollections: number;
  readonly formatVersion: string;
  readonly serverVersion: string;
  readonly toolVersion: string;
}

/** What the prelude says of a collection. */
export interface CollectionMetadata extends Namespace {
  readonly type: CollectionType;
  /** Extended JSON: options, indexes, UUID, name, type. Empty for users, roles and the operations log. */
  readonly metadata: string;
  readonly size: number;
}

/** A collection of an archive that was read to its end. */
export interface ArchivedCollection extends Namespace {
  readonly type: CollectionType;
  readonly uuid: string | null;
  /** Canonical extended JSON. */
  readonly options: string;
  /** Names, in the order of the archive. */
  readonly indexes: readonly string[];
  readonly documents: number;
  /** Of the documents alone. */
  readonly bytes: number;
  /** CRC-64 of the documents, in hexadecimal: equal documents in equal order have equal ones. */
  readonly crc: string;
}

/** What a whole archive holds, in the order of its prelude. */
export interface ArchiveInventory {
  readonly header: ArchiveHeader;
  readonly collections: readonly ArchivedCollection[];
}

/** An archive that is none, or is damaged, or not whole. The message follows "The archive is damaged: ". */
export class ArchiveError extends Error {}

export function namespaceName({ db, collection }: Namespace): string {
  return `${db}.${collection}`;
}
