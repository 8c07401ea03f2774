/**
 * The restore of an archive over the driver, for machines without mongorestore. Documents are written as the bytes of
 * the archive. Nothing is taken back: who needs that restores under other names first.
 */
import { AppError } from '@backupx/contracts/errors';
import { BodyFailure, pullBody, throwIfCancelled } from '../../ports/pull-body.ts';
import { ArchiveError, type CollectionMetadata, namespaceName } from './archive-format.ts';
import { type ArchiveEvent, ArchiveReader, type ArchiveStream } from './archive-reader.ts';
import { BSON_TIMESTAMP, type BsonElement, readElements } from './bson-elements.ts';
import { createCollection, createIndexes } from './native-definitions.ts';
import { DocumentInserter } from './native-insert.ts';
import type { NativeRestoreOptions, RestoredNamespace } from './native-options.ts';
import { type PlannedCollection, planRestore } from './native-plan.ts';
import { driverErrorOf, type NativeServer, readServer } from './native-server.ts';

/** A few of the things that went wrong are enough for a sentence. */
const MAX_NAMED = 5;

/**
 * Reads an archive to its end and writes it into the server: collections, their documents as they are byte for byte,
 * then indexes, then views. Throws DATABASE_DUMP_DAMAGED; DATABASE_EXISTS; DATABASE_TOOL_FAILED naming each namespace
 * with documents or indexes that the server refused (everything else was restored); CANCELLED; errors of the driver
 * and of the archive's stream as they are. What was written until then stays.
 */
export async function restoreArchiveNatively(
  archive: AsyncIterable<Uint8Array>,
  options: NativeRestoreOptions,
): Promise<readonly RestoredNamespace[]> {
  try {
    const restore = new NativeRestore(options, await readServer(options.client, options.signal));
    return await restore.run(archive);
  } catch (error) {
    throwIfCancelled(options.signal);
    if (error instanceof BodyFailure) throw error.cause;
    if (!(error instanceof ArchiveError)) throw driverErrorOf(error);
    throw new AppError('DATABASE_DUMP_DAMAGED', { name: options.label, reason: error.message }, { cause: error });
  }
}

class NativeRestore {
  readonly #options: NativeRestoreOptions;
  readonly #server: NativeServer;
  readonly #reader = new ArchiveReader();
  readonly #abouts: CollectionMetadata[] = [];
  #planned: ReadonlyMap<string, PlannedCollection> = new Map();
  /** Of the namespace whose turn it is. */
  #open: { readonly stream: ArchiveStream; readonly planned: PlannedCollection | null } | null = null;
  #inserter: DocumentInserter | null = null;
  #changedTimestamps = 0;

  constructor(options: NativeRestoreOptions, server: NativeServer) {
    this.#options = options;
    this.#server = server;
  }

  async run(archive: AsyncIterable<Uint8Array>): Promise<RestoredNamespace[]> {
    try {
      await this.#readAll(archive);
    } catch (error) {
      await this.#inserter?.settle();
      throw error;
    }
    if (this.#changedTimestamps > 0) {
      this.#options.note(
        `${this.#changedTimestamps} documents have an empty timestamp, in place of which a server of version ` +
          `${this.#server.version} puts the present time.`,
      );
    }
    return await this.#complete();
  }

  async #readAll(archive: AsyncIterable<Uint8Array>): Promise<void> {
    for await (const chunk of pullBody(archive, this.#options.signal)) {
      for (const event of this.#reader.push(chunk)) {
        const waiting = this.#see(event);
        if (waiting) await waiting;
      }
    }
    this.#reader.finish();
  }

  /** Most events need no waiting. */
  #see(event: ArchiveEvent): Promise<void> | null {
    switch (event.kind) {
      case 'header':
        return null;
      case 'collection':
        this.#abouts.push(event.collection);
        return null;
      case 'contents':
        return this.#plan();
      case 'document':
        return this.#take(event.stream, event.bytes);
      case 'end':
        return this.#end(event.stream);
    }
  }

  async #plan(): Promise<void> {
    this.#planned = await planRestore(this.#abouts, this.#options, this.#server);
  }

  #take(stream: ArchiveStream, bytes: Buffer): Promise<void> | null {
    if (this.#open?.stream !== stream) return this.#turnTo(stream, Buffer.from(bytes));
    if (!this.#open.planned || !this.#inserter) return null;
    if (!this.#server.keepsEmptyTimestamps && hasEmptyTimestamp(bytes)) this.#changedTimestamps += 1;
    return this.#inserter.add(bytes) ? null : this.#flush(stream);
  }

  async #flush(stream: ArchiveStream): Promise<void> {
    await this.#inserter?.flush();
    this.#report(stream);
  }

  /** Another namespace has its turn. */
  async #turnTo(stream: ArchiveStream, bytes: Buffer): Promise<void> {
    await this.#close();
    const planned = this.#planned.get(namespaceName(stream.about)) ?? null;
    this.#open = { stream, planned };
    if (!planned) return;
    if (!planned.isCreated) await createCollection(planned, this.#options);
    const { to, details, counts, about } = planned;
    const target = {
      ...planned.stream,
      hasValidator: details.options.has('validator'),
      isRawSeries: about.type === 'timeseries' && planned.stream === to,
      series: about.type === 'timeseries' ? to.collection : null,
    };
    this.#inserter = new DocumentInserter(this.#options, this.#server, { target, counts });
    const waiting = this.#take(stream, bytes);
    if (waiting) await waiting;
  }

  async #close(): Promise<void> {
    await this.#inserter?.finish();
    if (this.#open) this.#report(this.#open.stream);
    this.#inserter = null;
    this.#open = null;
  }

  async #end(stream: ArchiveStream): Promise<void> {
    await this.#close();
    const planned = this.#planned.get(namespaceName(stream.about));
    if (planned && !planned.isCreated && planned.about.type !== 'view') await createCollection(planned, this.#options);
  }

  #reported = { documents: 0, bytes: 0 };

  #report(stream: ArchiveStream): void {
    const planned = this.#planned.get(namespaceName(stream.about));
    if (!planned) return;
    const all = [...this.#planned.values()].map(({ counts }) => counts);
    const documents = all.reduce((sum, counts) => sum + counts.documents, 0);
    const bytes = all.reduce((sum, counts) => sum + counts.bytes, 0);
    const delta = { documents: documents - this.#reported.documents, bytes: bytes - this.#reported.bytes };
    this.#reported = { documents, bytes };
    this.#options.progress?.({ ...delta, namespace: namespaceName(planned.to) });
  }

  /** All documents have come: indexes, views, and what went wrong. */
  async #complete(): Promise<RestoredNamespace[]> {
    const restored: RestoredNamespace[] = [];
    const problems: string[] = [];
    const inOrder = [...this.#planned.values()].sort((a, b) => Number(isView(a)) - Number(isView(b)));
    for (const planned of inOrder) {
      const { about, to, counts } = planned;
      if (isView(planned)) await createCollection(planned, this.#options);
      const { made, refusals } = await createIndexes(planned, this.#options);
      const ofDocuments = counts.refused > 0 ? [describeRefusals(planned)] : [];
      problems.push(...[...ofDocuments, ...refusals].map((problem) => `${namespaceName(to)}: ${problem}`));
      const from = { db: about.db, collection: about.collection };
      restored.push({ from, to, type: about.type, documents: counts.documents, bytes: counts.bytes, indexes: made });
    }
    if (problems.length === 0) return restored;
    const more = problems.length > MAX_NAMED ? `; and ${problems.length - MAX_NAMED} more` : '';
    const reason = `${problems.slice(0, MAX_NAMED).join('; ')}${more}`;
    throw new AppError('DATABASE_TOOL_FAILED', { tool: 'The restore', reason });
  }
}

function isView({ about }: PlannedCollection): boolean {
  return about.type === 'view';
}

function describeRefusals({ counts }: PlannedCollection): string {
  const { refused, documents, firstRefusal } = counts;
  return `${refused} of ${refused + documents} documents were refused (${firstRefusal ?? 'without a reason'})`;
}

/** Servers look at the top of a document alone, and leave `_id` as it is. */
function hasEmptyTimestamp(document: Uint8Array): boolean {
  const isEmpty = ({ type, name, value }: BsonElement) =>
    type === BSON_TIMESTAMP && name !== '_id' && value.every((byte) => byte === 0);
  try {
    return readElements(document).some(isEmpty);
  } catch {
    // The server says what it thinks of such a document.
    return false;
  }
}
