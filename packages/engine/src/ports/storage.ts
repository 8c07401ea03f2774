/**
 * The storage port: one narrow interface for every kind of place. A storage knows objects by key; a key is a relative
 * path of `/`-separated segments, none empty, `.` or `..`, no backslash, no control characters, at most 1,024 bytes.
 * Every sentence below is a test in `testing/storage-conformance.ts`.
 */
import type { StorageUsage } from '@backupx/contracts/jobs';
import type { z } from 'zod';

/** Half-open range in bytes: `start` included, `end` excluded (undefined: to the end). */
export interface ByteRange {
  readonly start: number;
  readonly end?: number;
}

export interface GetOptions {
  readonly signal: AbortSignal;
  readonly range?: ByteRange;
  /** True: a chunk is needed only until the next is asked for, so its memory may be used again. Left out: false. */
  readonly isUsedAtOnce?: boolean;
}

export interface StoredObject {
  readonly key: string;
  readonly sizeBytes: number;
  /** Null when the place does not tell. */
  readonly modifiedAt: Date | null;
}

export interface PutOptions {
  readonly signal: AbortSignal;
  /** Known size in bytes, when the caller knows; lets an adapter check free space before it starts. */
  readonly sizeBytes?: number;
}

/** A body that may be read more than once: every `[Symbol.asyncIterator]()` starts at the first byte again. */
export interface ReplayableBody extends AsyncIterable<Uint8Array> {
  readonly replayable: true;
}

/** Marks a body as replayable; `open` is called for every reading. Only such a body lets `withRetry` repeat a put. */
export function replayable(open: () => AsyncIterable<Uint8Array>): ReplayableBody {
  return { replayable: true, [Symbol.asyncIterator]: () => open()[Symbol.asyncIterator]() };
}

/**
 * Errors: `STORAGE_NOT_FOUND`, `STORAGE_PERMISSION`, `STORAGE_UNREACHABLE` (retryable), `STORAGE_FULL`,
 * `STORAGE_INVALID_KEY`, `STORAGE_CONFIG`, `STORAGE_FAILED` (retryable), `CANCELLED`.
 */
export interface Storage {
  /**
   * True: it waits by itself while nobody answers (`withRetry` with patience), so what it throws then has been waited for.
   */
  readonly isPatient?: boolean;
  /**
   * Writes an object of unknown length, replacing one of the same key. Atomic: readers see the old object, none, or the
   * whole new one, never a part; when it throws (body failed, aborted, full) nothing new is left behind. On return the
   * bytes are durable. Pulls from `body` only as fast as the place takes it. Does not keep chunks after the next pull.
   */
  put(key: string, body: AsyncIterable<Uint8Array>, options: PutOptions): Promise<void>;
  /** Streams an object or a part of it; throws STORAGE_NOT_FOUND on first pull. A range past the end yields nothing. */
  get(key: string, options: GetOptions): AsyncIterable<Uint8Array>;
  /** Size and time of one object; throws STORAGE_NOT_FOUND. */
  stat(key: string, signal: AbortSignal): Promise<StoredObject>;
  /** All objects whose key starts with `prefix` (plain string prefix), any order, unfinished writes not included. */
  list(prefix: string, signal: AbortSignal): AsyncIterable<StoredObject>;
  /** Removes an object; a missing one is success. */
  delete(key: string, signal: AbortSignal): Promise<void>;
  /**
   * The same as `get` from `start` on, into memory that is there already, which may be shared: reads until `target` is
   * full or the object ends, and answers the bytes read. Offered by places that would otherwise make a buffer per chunk.
   */
  readInto?(
    key: string,
    target: Uint8Array,
    options: { readonly signal: AbortSignal; readonly start: number },
  ): Promise<number>;
  /**
   * Writes a small object only if there is none of that key: of several that try at the same moment exactly one gets true.
   * Null: this place cannot decide it, and nothing was written. As atomic and durable as `put`.
   */
  putIfAbsent?(key: string, bytes: Uint8Array, signal: AbortSignal): Promise<boolean | null>;
  /** Space in the place, when it can tell. */
  usage?(signal: AbortSignal): Promise<StorageUsage>;
  /** Frees connections; idempotent. */
  close?(): Promise<void>;
}

/** A kind of storage: form, validation, secrets and behaviour in one object. Registered by one line in `storages/index.ts`. */
export interface StorageDriver<C extends z.ZodObject = z.ZodObject> {
  readonly type: string;
  readonly title: string;
  readonly config: C;
  /** Never does I/O; problems show at the first call. */
  create(config: z.output<C>): Storage;
}

/** Declares a storage; only here to infer the config type. */
export function defineStorage<C extends z.ZodObject>(driver: StorageDriver<C>): StorageDriver<C> {
  return driver;
}
