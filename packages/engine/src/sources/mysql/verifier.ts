/**
 * Proves dumps. `quick`: each is read to its end by the scanner and compared with its inventory. `deep`: all are also
 * restored into a server started for it (or the one that is named), where objects and rows are counted and the server's
 * own check of tables runs.
 */
import { toAppError } from '@backupx/contracts/errors';
import type { VerifyCheck } from '@backupx/contracts/jobs';
import {
  countObjects,
  type DatabaseInventory,
  describeLeftOut,
  missingObjects,
  parseInventory,
} from '../../ports/database-inventory.ts';
import { databaseOfFolder } from '../../ports/database-names.ts';
import { readText, toItsEnd } from '../../ports/entry-content.ts';
import type { RestoreEntry, Verifier, VerifyContext } from '../../ports/source.ts';
import { checkTables } from './check-tables.ts';
import { MysqlConnection } from './connection.ts';
import { serverProduct } from './flavour.ts';
import { FedClient, type LoadedDump, loadDump, runCode } from './load-dump.ts';
import { countRows, readInventory } from './read-inventory.ts';
import { dropRestore, RestoreLock, RestoreNames } from './restore-place.ts';
import { startScratchServer } from './scratch-server.ts';
import { type MysqlConfig, type MysqlRestoreOptions, restoreConnection } from './settings.ts';
import { quoteName } from './sql-text.ts';

/** A place to restore to, with names for databases in it. */
interface Place {
  readonly connection: MysqlConnection;
  nameFor(index: number, source: string): string;
  close(): Promise<void>;
}

interface Proven {
  readonly index: number;
  readonly source: string;
  readonly dump: LoadedDump;
  inventory: DatabaseInventory | null;
}

/** Opens it. Throws DATABASE_* when a deep proof has no server to be made on. */
export async function openMysqlVerifier(config: MysqlConfig, context: VerifyContext): Promise<Verifier> {
  return new MysqlVerifier(config, context);
}

class MysqlVerifier implements Verifier {
  readonly #config: MysqlConfig;
  readonly #context: VerifyContext;
  readonly #proven: Proven[] = [];
  readonly #checks: VerifyCheck[] = [];
  #place: Place | null = null;
  #begun = 0;

  constructor(config: MysqlConfig, context: VerifyContext) {
    this.#config = config;
    this.#context = context;
  }

  async write(entry: RestoreEntry): Promise<void> {
    const [, folder = '', file = ''] = Buffer.from(entry.path).toString('utf8').replace(/^\//, '').split('/');
    if (!entry.content) return;
    if (file === 'dump.sql') await this.#load(databaseOfFolder(folder), toItsEnd(entry.content));
    else if (file === 'inventory.json') await this.#takeInventory(databaseOfFolder(folder), entry.content);
    else await readText(entry.content);
  }

  async finish(): Promise<readonly VerifyCheck[]> {
    for (const proven of this.#proven) this.#compare(proven);
    if (this.#place) for (const proven of this.#proven) await this.#prove(this.#place, proven);
    if (this.#proven.length === 0 && this.#checks.length === 0) {
      this.#checks.push({ subject: '/mysql', name: 'structure', ok: false, detail: 'there is no dump in it' });
    }
    return this.#checks;
  }

  async close(): Promise<void> {
    const place = this.#place;
    this.#place = null;
    await place?.close();
  }

  async #load(source: string, content: AsyncIterable<Uint8Array>): Promise<void> {
    const index = this.#begun;
    // Another one each time: what one that broke off has left is not in the way of the next.
    this.#begun += 1;
    try {
      const place = this.#context.depth === 'deep' ? await this.#openPlace() : null;
      const dump = place ? await loadInto(place, { index, source, content }) : await readThrough(source, content);
      this.#proven.push({ index, source, dump, inventory: null });
      const detail = countObjects(dump.objects);
      this.#checks.push({ subject: source, name: 'structure', ok: true, detail });
    } catch (error) {
      const failure = toAppError(error);
      // A damaged dump, or one the server does not take, is an answer; all else says nothing of it.
      const isAnswer = failure.code === 'DATABASE_DUMP_DAMAGED' || failure.code === 'DATABASE_TOOL_FAILED';
      if (!isAnswer || this.#context.signal.aborted) throw error;
      const name = failure.code === 'DATABASE_DUMP_DAMAGED' ? 'structure' : 'restore';
      this.#checks.push({ subject: source, name, ok: false, detail: failure.message });
    }
  }

  async #takeInventory(source: string, content: AsyncIterable<Uint8Array>): Promise<void> {
    const inventory = parseInventory(await readText(content));
    const proven = this.#proven.find((one) => one.source === source);
    if (proven) proven.inventory = inventory;
  }

  #compare({ source, dump, inventory }: Proven): void {
    if (!inventory) {
      this.#checks.push({ subject: source, name: 'inventory', ok: false, detail: 'there is no inventory beside it' });
      return;
    }
    const missing = missingObjects(inventory.objects, dump.objects);
    const known = describeLeftOut(inventory.leftOut).map((gap) => `; ${gap}`);
    const counted = `${countObjects(inventory.objects)}, as counted when it was made${known.join('')}`;
    const detail = missing.join('; ') || counted;
    this.#checks.push({ subject: source, name: 'inventory', ok: missing.length === 0, detail });
  }

  async #prove(place: Place, { index, source, dump, inventory }: Proven): Promise<void> {
    const name = place.nameFor(index, source);
    const { connection } = place;
    const names = new Map(this.#proven.map((one) => [one.source, place.nameFor(one.index, one.source)]));
    try {
      await setCollation(connection, name, inventory);
      await runCode(connection, name, { code: dump.code, rewrite: { names, definer: 'current', isProof: true } });
      this.#checks.push({ subject: source, name: 'restore', ok: true, detail: connection.serverName });
    } catch (error) {
      if (this.#context.signal.aborted) throw error;
      this.#checks.push({ subject: source, name: 'restore', ok: false, detail: toAppError(error).message });
    }
    const found = await readInventory(connection, name);
    const counted = await countRows(connection, name, found);
    const missing = missingObjects(inventory?.objects ?? dump.objects, counted);
    const rows = counted.reduce((sum, object) => sum + (object.rows ?? 0), 0);
    this.#checks.push({
      subject: source,
      name: 'rows',
      ok: missing.length === 0,
      detail: missing.join('; ') || `${rows} rows`,
    });
    const { badViews, count, ...tables } = await checkTables(connection, name);
    const bad = [...tables.bad, ...badViews];
    const detail = bad.join('; ') || `CHECK TABLE: ${count} in order`;
    this.#checks.push({ subject: source, name: 'engine', ok: bad.length === 0, detail });
  }

  async #openPlace(): Promise<Place> {
    this.#place ??= await openPlace(this.#config, this.#context);
    return this.#place;
  }
}

async function openPlace(config: MysqlConfig, context: VerifyContext): Promise<Place> {
  const options = context.options as MysqlRestoreOptions;
  if (options.dbHost !== '' || options.dbSocket !== '') return await openNamedPlace(config, context);
  const toolFolder = options.toolFolder || config.toolFolder;
  // Which flavour the task's server is, it may be asked; a server that is lost cannot.
  const product = await productOf(config, context);
  const server = await startScratchServer({ ...context, product, toolFolder });
  context.log('info', `Restoring into ${server.connection.serverName}, started for it.`);
  return { connection: server.connection, nameFor: (_, source) => source, close: () => server.close() };
}

async function productOf(config: MysqlConfig, context: VerifyContext) {
  try {
    const connection = await MysqlConnection.open(config, context);
    connection.close();
    return connection.server;
  } catch (error) {
    if (context.signal.aborted) throw error;
    return serverProduct('0-MariaDB');
  }
}

async function openNamedPlace(config: MysqlConfig, context: VerifyContext): Promise<Place> {
  const options = context.options as MysqlRestoreOptions;
  const connection = await MysqlConnection.open(restoreConnection(config, options), context);
  const calm = connection.withSignal(new AbortController().signal);
  const names = new RestoreNames();
  const lock = await RestoreLock.take(calm, names);
  return {
    connection,
    nameFor: (index) => names.scratch(index),
    async close() {
      try {
        await dropRestore(calm, names, { isDone: true });
      } finally {
        await lock.release();
        connection.close();
      }
    },
  };
}

async function loadInto(
  place: Place,
  { index, source, content }: { index: number; source: string; content: AsyncIterable<Uint8Array> },
): Promise<LoadedDump> {
  const scratch = place.nameFor(index, source);
  await place.connection.query(`CREATE DATABASE ${quoteName(scratch)}`, { doing: 'create databases' });
  const client = new FedClient(place.connection, scratch);
  try {
    const dump = await loadDump({ database: source, scratch, content, writeTables: (bytes) => client.write(bytes) });
    await client.finish();
    return dump;
  } catch (error) {
    client.kill();
    throw error;
  }
}

const readThrough = (database: string, content: AsyncIterable<Uint8Array>): Promise<LoadedDump> =>
  loadDump({ database, scratch: database, content, writeTables: async () => {} });

async function setCollation(
  connection: MysqlConnection,
  name: string,
  inventory: DatabaseInventory | null,
): Promise<void> {
  const { charset = '', collation = '' } = inventory?.details ?? {};
  if (!/^\w+$/.test(charset) || !/^\w+$/.test(collation)) return;
  await connection.query(`ALTER DATABASE ${quoteName(name)} CHARACTER SET ${charset} COLLATE ${collation}`);
}
