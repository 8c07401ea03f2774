/** Documents on their way into a server, as bytes: through objects of the language a part of their types would change. */
/// <reference path="./native-driver.d.ts" />
import { AppError } from '@backupx/contracts/errors';
import type { MongoClient } from 'mongodb';
import { DocumentSequence } from 'mongodb/lib/cmap/commands.js';
import { type Namespace, namespaceName } from './archive-format.ts';
import { lateSignal } from './late-signal.ts';
import type { NativeServer } from './native-server.ts';

/** One message at a time: servers take 48 MB and 100 000 documents. */
const MAX_BATCH_BYTES = 8 * 1024 * 1024;
const MAX_BATCH_DOCUMENTS = 5000;

/** Buckets of a time series whose measurements have fields of several types, from before the server minded. */
const MIXED_SCHEMA = 408;

export interface InsertTarget extends Namespace {
  /** The time series that these are buckets of. */
  readonly series: string | null;
  /** The documents may be from before its rules. */
  readonly hasValidator: boolean;
  readonly isRawSeries: boolean;
}

/** What a server said to the documents of one namespace. */
export interface InsertCounts {
  documents: number;
  bytes: number;
  refused: number;
  firstRefusal: string | null;
}

interface WriteError {
  readonly index: number;
  readonly code: number;
  readonly errmsg: string;
}

interface InsertReply {
  readonly writeErrors?: readonly WriteError[];
  readonly writeConcernError?: { readonly errmsg: string };
}

/** Inserts the documents of one namespace, some while the next are gathered. `add` each, then `finish`. */
export class DocumentInserter {
  readonly #client: MongoClient;
  readonly #server: NativeServer;
  readonly #signal: AbortSignal;
  readonly #lateSignal: AbortSignal;
  readonly #target: InsertTarget;
  readonly #counts: InsertCounts;
  #documents: Buffer[] = [];
  #bytes = 0;
  #running: Promise<void> = Promise.resolve();

  constructor(
    { client, signal }: { readonly client: MongoClient; readonly signal: AbortSignal },
    server: NativeServer,
    { target, counts }: { readonly target: InsertTarget; readonly counts: InsertCounts },
  ) {
    this.#client = client;
    this.#signal = signal;
    this.#lateSignal = lateSignal(signal);
    this.#server = server;
    this.#target = target;
    this.#counts = counts;
  }

  /** Copies the document. True: nothing to wait for; false: `flush` before the next. */
  add(bytes: Uint8Array): boolean {
    this.#documents.push(Buffer.from(bytes));
    this.#bytes += bytes.byteLength;
    return this.#documents.length < MAX_BATCH_DOCUMENTS && this.#bytes < MAX_BATCH_BYTES;
  }

  /** Sends what was gathered, once what was sent before has arrived. Throws errors of the driver. */
  async flush(): Promise<void> {
    await this.#running;
    if (this.#documents.length === 0) return;
    this.#running = this.#insert(this.#documents);
    // Seen by the next flush.
    this.#running.catch(() => {});
    this.#documents = [];
    this.#bytes = 0;
  }

  async finish(): Promise<void> {
    await this.flush();
    await this.#running;
  }

  /** Waits until nothing is on its way any more, however it ends: a late insert would make a dropped collection anew. */
  async settle(): Promise<void> {
    await this.#running.catch(() => {});
  }

  async #insert(documents: readonly Buffer[]): Promise<void> {
    const { db, series } = this.#target;
    const errors = await this.#send(documents);
    const isMixed = ({ code }: WriteError) => series !== null && code === MIXED_SCHEMA;
    this.#count(documents, errors, isMixed);
    const repeated = errors.filter(isMixed).flatMap(({ index }) => documents[index] ?? []);
    if (repeated.length === 0) return;
    const command = { collMod: series, timeseriesBucketsMayHaveMixedSchemaData: true };
    await this.#client.db(db).command(command, { signal: this.#lateSignal });
    this.#count(repeated, await this.#send(repeated), () => false);
  }

  #count(
    documents: readonly Buffer[],
    errors: readonly WriteError[],
    isRepeated: (error: WriteError) => boolean,
  ): void {
    const sizeOf = (bytes: Buffer | undefined) => bytes?.byteLength ?? 0;
    const counts = this.#counts;
    counts.documents += documents.length - errors.length;
    counts.bytes += documents.reduce((sum, bytes) => sum + sizeOf(bytes), 0);
    for (const error of errors) {
      counts.bytes -= sizeOf(documents[error.index]);
      if (isRepeated(error)) continue;
      counts.refused += 1;
      counts.firstRefusal ??= error.errmsg;
    }
  }

  async #send(documents: readonly Buffer[]): Promise<readonly WriteError[]> {
    this.#signal.throwIfAborted();
    const { db, collection, hasValidator, isRawSeries } = this.#target;
    const sequence = new DocumentSequence('documents');
    for (const bytes of documents) sequence.push({}, bytes);
    const command = {
      insert: collection,
      documents: sequence,
      ordered: false,
      ...(hasValidator ? { bypassDocumentValidation: true } : {}),
      ...(this.#server.keepsEmptyTimestamps ? { bypassEmptyTsReplacement: true } : {}),
      ...(isRawSeries ? { rawData: true } : {}),
    };
    const reply: InsertReply = await this.#client.db(db).command(command, { signal: this.#lateSignal });
    if (reply.writeConcernError) {
      const reason = `${namespaceName(this.#target)}: ${reply.writeConcernError.errmsg}`;
      throw new AppError('DATABASE_TOOL_FAILED', { tool: 'The restore', reason });
    }
    return reply.writeErrors ?? [];
  }
}
