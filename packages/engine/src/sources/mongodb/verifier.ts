/**
 * Proves dumps. `quick`: each is read to its end, its checksums are compared and what it holds is compared with its
 * inventory. `deep`: all are also restored into a server started for it (or the one that is named), where documents and
 * indexes are counted and the server checks them.
 */
import { toAppError } from '@backupx/contracts/errors';
import type { VerifyCheck } from '@backupx/contracts/jobs';
import {
  countObjects,
  type DatabaseInventory,
  type InventoryObject,
  missingObjects,
  parseInventory,
} from '../../ports/database-inventory.ts';
import { readText, toItsEnd } from '../../ports/entry-content.ts';
import type { RestoreEntry, Verifier, VerifyContext } from '../../ports/source.ts';
import { ArchiveError } from './archive-format.ts';
import { scanArchive } from './archive-scanner.ts';
import { objectsOfServer } from './dump-server.ts';
import { placeOf, ROOT } from './entry-paths.ts';
import { loadArchive } from './load-archive.ts';
import { describeCollections } from './loaded-database.ts';
import { listCollections, objectsOfArchive } from './read-inventory.ts';
import { startScratchServer } from './scratch-server.ts';
import { isAnotherServer, type MongodbConfig, type MongodbRestoreOptions, restoreConnection } from './settings.ts';
import { chooseTool } from './tools.ts';
import { parseUsers } from './users.ts';
import { type Validation, validateCollections } from './validate-collections.ts';
import { nameOf, type Place, VerifyPlace } from './verify-place.ts';

interface Proven {
  /** Null: the dump of a whole server. */
  readonly source: string | null;
  readonly objects: readonly InventoryObject[];
  /** The database it was loaded into; null: it was only read. */
  readonly loadedAs: string | null;
  inventory: DatabaseInventory | null;
}

/** Opens it. */
export function openMongodbVerifier(config: MongodbConfig, context: VerifyContext): Verifier {
  return new MongodbVerifier(config, context);
}

class MongodbVerifier implements Verifier {
  readonly #config: MongodbConfig;
  readonly #context: VerifyContext;
  readonly #proven: Proven[] = [];
  readonly #checks: VerifyCheck[] = [];
  #place: Place | null = null;
  #taken = 0;

  constructor(config: MongodbConfig, context: VerifyContext) {
    this.#config = config;
    this.#context = context;
  }

  async write(entry: RestoreEntry): Promise<void> {
    if (!entry.content) return;
    const place = placeOf(entry.path);
    if (place?.item === 'dump') await this.#read(place.database, toItsEnd(entry.content));
    else if (place?.item === 'inventory') {
      const inventory = parseInventory(await readText(entry.content));
      const proven = this.#proven.find((one) => one.source === place.database);
      if (proven) proven.inventory = inventory;
    } else if (place?.item === 'users') parseUsers(await readText(entry.content));
    else for await (const _ of entry.content);
  }

  async finish(): Promise<readonly VerifyCheck[]> {
    for (const proven of this.#proven) this.#compare(proven);
    if (this.#place) for (const proven of this.#proven) await this.#count(this.#place, proven);
    if (this.#proven.length === 0 && this.#checks.length === 0) {
      this.#add(ROOT, { name: 'structure', ok: false, detail: 'there is no dump in it' });
    }
    return this.#checks;
  }

  async close(): Promise<void> {
    const place = this.#place;
    this.#place = null;
    await place?.close();
  }

  #add(subject: string, check: Omit<VerifyCheck, 'subject'>): void {
    this.#checks.push({ subject, ...check });
  }

  async #read(source: string | null, content: AsyncIterable<Uint8Array>): Promise<void> {
    const subject = source ?? ROOT;
    try {
      // The operations log knows databases by their names only, so such a dump has no scratch place.
      const isLoaded = this.#context.depth === 'deep' && source !== null;
      const loadedAs = isLoaded ? await this.#take() : null;
      const archive = isLoaded ? await this.#load(loadedAs ?? '', source, content) : await scanArchive(content);
      const objects = source === null ? objectsOfServer(archive) : objectsOfArchive(archive, source);
      this.#proven.push({ source, objects, loadedAs, inventory: null });
      this.#add(subject, { name: 'structure', ok: true, detail: `checksums are right; ${countObjects(objects)}` });
    } catch (error) {
      if (error instanceof ArchiveError) {
        this.#add(subject, { name: 'structure', ok: false, detail: error.message });
        return;
      }
      const failure = toAppError(error);
      // A damaged dump, or one the server does not take, is an answer; all else says nothing of it.
      const isAnswer = failure.code === 'DATABASE_DUMP_DAMAGED' || failure.code === 'DATABASE_TOOL_FAILED';
      if (!isAnswer || this.#context.signal.aborted) throw error;
      const name = failure.code === 'DATABASE_DUMP_DAMAGED' ? 'structure' : 'restore';
      this.#add(subject, { name, ok: false, detail: failure.message });
    }
  }

  /** Another one each time: what one that broke off has left is not in the way of the next. */
  async #take(): Promise<string> {
    this.#place ??= await openPlace(this.#config, this.#context);
    this.#taken += 1;
    return await this.#place.take(this.#taken);
  }

  async #load(target: string, source: string, content: AsyncIterable<Uint8Array>) {
    const { connection, tool } = this.#place as Place;
    return await loadArchive({
      ...{ connection, tool, content, database: source },
      note: (message) => this.#context.log('warn', message),
      plan: () => ({ target, prefix: '', direct: [], wanted: null }),
    });
  }

  #compare({ source, objects, inventory }: Proven): void {
    const subject = source ?? ROOT;
    if (!inventory) {
      this.#add(subject, { name: 'inventory', ok: false, detail: 'there is no inventory beside it' });
      return;
    }
    const missing = missingObjects(inventory.objects, objects);
    const detail = missing.join('; ') || `${countObjects(inventory.objects)}, as counted when it was made`;
    this.#add(subject, { name: 'inventory', ok: missing.length === 0, detail });
  }

  async #count({ connection }: Place, { source, objects, inventory, loadedAs: database }: Proven): Promise<void> {
    if (database === null || source === null) return;
    this.#add(source, { name: 'restore', ok: true, detail: connection.serverName });
    const collections = await listCollections(connection, database);
    const found = await describeCollections(connection, database, { collections, nameOf: ({ name }) => name });
    const missing = missingObjects([...objects, ...(inventory?.objects ?? [])], found);
    const documents = found.reduce((sum, object) => sum + (object.rows ?? 0), 0);
    const detail = [...new Set(missing)].join('; ') || `${documents} documents, all indexes`;
    this.#add(source, { name: 'rows', ok: missing.length === 0, detail });
    this.#tellOfEngine(source, await validateCollections(connection, database, collections));
  }

  #tellOfEngine(source: string, { count, bad, refusal }: Validation): void {
    if (refusal !== null) this.#context.log('warn', `${source}: not all was checked by the server: ${refusal}`);
    if (count === 0) return;
    const good = `validate found nothing wrong in ${count} ${count === 1 ? 'collection' : 'collections'}`;
    this.#add(source, { name: 'engine', ok: bad.length === 0, detail: bad.join('; ') || good });
  }
}

async function openPlace(config: MongodbConfig, context: VerifyContext): Promise<Place> {
  const options = context.options as MongodbRestoreOptions;
  const target = restoreConnection(config, options);
  const tool = await chooseTool('mongorestore', target, context.signal);
  if (isAnotherServer(options)) return await VerifyPlace.open(target, tool, context);
  const { program, toolFolder } = target;
  const server = await startScratchServer({ ...context, program, toolFolder });
  context.log('info', `Restoring into ${server.connection.serverName}, started for it.`);
  return {
    connection: server.connection,
    tool,
    take: async (index) => nameOf('0'.repeat(12), index),
    close: () => server.close(),
  };
}
