/**
 * The dump of a database over the driver, for machines without mongodump. Documents are taken as the bytes that the
 * server sends. On a replica set or a sharded cluster all of them are of one moment.
 */
import { type Abortable, type ClientSession, type FindOptions, MongoServerError } from 'mongodb';
import { orCancelled, throwIfCancelled } from '../../ports/pull-body.ts';
import { type ArchiveHeader, FORMAT_VERSION, namespaceName } from './archive-format.ts';
import { scannedArchive } from './archive-scanner.ts';
import { type CollectionToWrite, writeArchive } from './archive-writer.ts';
import { readElements } from './bson-elements.ts';
import { decodeOrdered } from './bson-ordered.ts';
import { type CollectionToDump, listForDump } from './native-catalogue.ts';
import type { NativeDumpOptions } from './native-options.ts';
import { driverErrorOf, readServer } from './native-server.ts';

/** What the archive says wrote it. */
const TOOL = 'BackupX';
/** The server has thrown away what it needs to read an old moment. */
const SNAPSHOT_TOO_OLD = 239;

/** How documents are read: of one moment as long as there is a session. */
interface Moment {
  session: ClientSession | null;
}

/**
 * Writes the database as an archive of mongodump: collections in the order of their names, documents in the order of
 * `_id`, so that equal data gives equal bytes. Throws CANCELLED, and errors of the driver as they are.
 */
export async function* dumpDatabaseNatively(options: NativeDumpOptions): AsyncGenerator<Uint8Array> {
  try {
    yield* dumpDatabase(options);
  } catch (error) {
    throwIfCancelled(options.signal);
    throw driverErrorOf(error);
  }
}

async function* dumpDatabase(options: NativeDumpOptions): AsyncGenerator<Uint8Array> {
  const { client, database, signal, note } = options;
  const server = await readServer(client, signal);
  const collections = await listForDump(options, server);
  const header: ArchiveHeader = {
    concurrentCollections: 1,
    formatVersion: FORMAT_VERSION,
    serverVersion: server.version,
    toolVersion: TOOL,
  };
  if (!server.hasSnapshots) {
    note(
      `The dump of ${database} is not of one moment: ${server.address} is a single server, or older than 5.0, so what ` +
        'was written meanwhile may be in it in part.',
    );
  }
  const moment: Moment = { session: server.hasSnapshots ? client.startSession({ snapshot: true }) : null };
  const written = collections.map(
    (collection): CollectionToWrite => ({
      about: collection.about,
      stream: collection.stream,
      documents: () => readDocuments(options, collection, moment),
    }),
  );
  // What was written is read once more: the counts are those of the archive, not those we believe in.
  const failure = (reason: string) => new Error(`the archive that was written is none: ${reason}`);
  try {
    yield* scannedArchive(writeArchive(header, written), { onInventory: options.onInventory, failure });
  } finally {
    await moment.session?.endSession();
  }
}

/** Batches of the server. One that took too long for its moment goes on behind the last document it has. */
async function* readDocuments(
  options: NativeDumpOptions,
  collection: CollectionToDump,
  moment: Moment,
): AsyncGenerator<readonly Uint8Array[]> {
  if (collection.about.type === 'view') return;
  const { session } = moment;
  let last: Uint8Array | undefined;
  try {
    for await (const batch of readBatches(options, collection, session, null)) {
      yield batch;
      last = batch.at(-1) ?? last;
    }
  } catch (error) {
    const isTooOld = session && error instanceof MongoServerError && error.code === SNAPSHOT_TOO_OLD;
    if (!isTooOld || (last && collection.order !== 'id')) throw error;
    options.note(
      `The dump of ${options.database} is not of one moment from ${namespaceName(collection.about)} on: it takes longer ` +
        'than the server remembers (minSnapshotHistoryWindowInSeconds).',
    );
    await session.endSession();
    moment.session = null;
    yield* readBatches(options, collection, null, last ?? null);
  }
}

async function* readBatches(
  { client, database, signal }: NativeDumpOptions,
  { stream, order, isRawSeries }: CollectionToDump,
  session: ClientSession | null,
  after: Uint8Array | null,
): AsyncGenerator<Uint8Array[]> {
  const find: FindOptions & Abortable & { rawData?: boolean } = { raw: true, signal };
  // Said here too: a level that the connection string asks for would be asked for together with the moment.
  if (session) Object.assign(find, { session, readConcern: { level: 'snapshot' } });
  if (order === 'id') Object.assign(find, { sort: { _id: 1 }, hint: { _id: 1 } });
  else find.hint = { $natural: 1 };
  if (isRawSeries) find.rawData = true;
  if (after) find.min = { _id: decodeOrdered(after).get('_id') };
  const cursor = client.db(database).collection(stream.collection).find({}, find);
  let skipped = after && idOf(after);
  try {
    // The driver itself lets the signal end the first question only.
    while (await orCancelled(cursor.hasNext(), signal)) {
      const batch = cursor.readBufferedDocuments() as unknown as Uint8Array[];
      const [first] = batch;
      if (skipped && first && idOf(first).equals(skipped)) batch.shift();
      skipped = null;
      yield batch;
    }
  } finally {
    // Not waited for: a server that has fallen silent answers this neither. The end of the client ends the cursor too.
    cursor.close().catch(() => {});
  }
}

/** The bytes of the value. */
function idOf(document: Uint8Array): Buffer {
  return readElements(document).find(({ name }) => name === '_id')?.value ?? Buffer.alloc(0);
}
