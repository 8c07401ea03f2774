/** A restore that changes nothing: dumps are read through, and what would happen to each database or file is told. */
import { AppError } from '@backupx/contracts/errors';
import { countObjects } from '../../ports/database-inventory.ts';
import type { RestoreContext, RestoreEntry, RestoreOutcome, RestoreSession } from '../../ports/source.ts';
import { ArchiveError, type ArchiveInventory } from './archive-format.ts';
import { scanArchive } from './archive-scanner.ts';
import { MongodbConnection } from './connection.ts';
import { objectsOfServer } from './dump-server.ts';
import { displayPlace, placeOf, textOfPath } from './entry-paths.ts';
import { objectsOfArchive, readInventory } from './read-inventory.ts';
import { type MongodbConfig, type MongodbRestoreOptions, parseRenames, restoreConnection } from './settings.ts';
import { isWanted } from './wanted-paths.ts';

/** Opens it; logs in when the restore would go to a server. Throws DATABASE_*. */
export async function openRestorePreview(config: MongodbConfig, context: RestoreContext): Promise<RestoreSession> {
  const options = context.options as MongodbRestoreOptions;
  const isForServer = context.targetPath === null;
  const connection = isForServer ? await MongodbConnection.open(restoreConnection(config, options), context) : null;
  return new RestorePreview(context, connection);
}

class RestorePreview implements RestoreSession {
  readonly #context: RestoreContext;
  readonly #connection: MongodbConnection | null;
  #items = 0;
  #bytes = 0;

  constructor(context: RestoreContext, connection: MongodbConnection | null) {
    this.#context = context;
    this.#connection = connection;
  }

  async write(entry: RestoreEntry): Promise<void> {
    const path = textOfPath(entry.path);
    const place = placeOf(entry.path);
    if (!place || !entry.content || !isWanted(path, this.#context.paths)) return;
    this.#items += 1;
    this.#context.progress({ items: 1, currentItem: displayPlace(place) });
    const content = this.#counted(entry.content);
    if (place.item === 'dump' && this.#connection) await this.#tell(this.#connection, place.database, content);
    else for await (const _ of content);
    if (!this.#connection) this.#context.log('info', `Would write ${this.#context.targetPath}${path}.`);
  }

  async commit(): Promise<RestoreOutcome> {
    await this.#connection?.close();
    return { itemsWritten: this.#items, bytesWritten: this.#bytes, itemsSkipped: 0 };
  }

  async rollback(): Promise<void> {
    await this.#connection?.close();
  }

  async #tell(connection: MongodbConnection, source: string | null, content: AsyncIterable<Uint8Array>): Promise<void> {
    const { log } = this.#context;
    const archive = await readArchive(content, source ?? 'the server');
    if (source === null) {
      log('info', `Would restore ${countObjects(objectsOfServer(archive))} to ${connection.address}.`);
      return;
    }
    const { rename, replaceExisting } = this.#context.options as MongodbRestoreOptions;
    const target = parseRenames(rename).get(source) ?? source;
    const there = await readInventory(connection, target);
    const words = countObjects(there);
    const replaced = replaceExisting
      ? `would replace what is there (${words})`
      : `is there already (${words}); the restore would stop`;
    const how = there.length === 0 ? 'would be made' : replaced;
    const held = countObjects(objectsOfArchive(archive, source));
    log('info', `${target} on ${connection.address} ${how}: ${held} in the backup.`);
  }

  async *#counted(content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of content) {
      this.#bytes += chunk.byteLength;
      this.#context.progress({ bytes: chunk.byteLength });
      yield chunk;
    }
  }
}

async function readArchive(content: AsyncIterable<Uint8Array>, name: string): Promise<ArchiveInventory> {
  try {
    return await scanArchive(content);
  } catch (error) {
    if (error instanceof ArchiveError) throw new AppError('DATABASE_DUMP_DAMAGED', { name, reason: error.message });
    throw error;
  }
}
