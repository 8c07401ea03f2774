/**
 * A restore into a server. While entries arrive each database is loaded into a scratch database; `commit` makes its
 * views, triggers, routines and events there as well, compares all with the inventory, and only then puts every database
 * in its place (`swap-database.ts`). What goes wrong on the way leaves the old databases as they were.
 */

import { AppError, toAppError } from '@backupx/contracts/errors';
import { type DatabaseInventory, parseInventory } from '../../ports/database-inventory.ts';
import { databaseOfFolder, parseRenames } from '../../ports/database-names.ts';
import { counted, readText } from '../../ports/entry-content.ts';
import type { RestoreContext, RestoreEntry, RestoreOutcome, RestoreSession } from '../../ports/source.ts';
import { VersionQuestion } from '../../ports/version-difference.ts';
import { isWanted } from '../../ports/wanted-paths.ts';
import { MysqlConnection, type Tool } from './connection.ts';
import { assertSame } from './dump-database.ts';
import { FedClient, type LoadedDump, loadDump, runCode } from './load-dump.ts';
import { countRows, readInventory } from './read-inventory.ts';
import { assertReplaceable } from './replaceable.ts';
import { dropRestore, findDeadRestores, Journal, RestoreLock, RestoreNames } from './restore-place.ts';
import { remakeViews, tellLeftOut, tellLostViews, tellMissingDefiners, tellNamesKept } from './restore-warnings.ts';
import type { RewriteOptions } from './rewrite-statement.ts';
import { peekServer } from './saved-server.ts';
import { type MysqlConfig, type MysqlRestoreOptions, restoreConnection } from './settings.ts';
import { GRANTS_FILE, quoteName } from './sql-text.ts';
import { type Swap, type SwapPlace, swapDatabase, undoSwap } from './swap-database.ts';
import { TargetNames } from './target-names.ts';

interface LoadedDatabase {
  readonly index: number;
  readonly source: string;
  readonly target: string;
  readonly dump: LoadedDump;
  inventory: DatabaseInventory | null;
}

/** Opens it: logs in, and undoes what dead restores left. */
export async function openServerRestore(config: MysqlConfig, context: RestoreContext): Promise<RestoreSession> {
  const options = context.options as MysqlRestoreOptions;
  const connection = await MysqlConnection.open(restoreConnection(config, options), context);
  const calm = connection.withSignal(new AbortController().signal);
  const names = new RestoreNames();
  let lock: RestoreLock | null = null;
  try {
    const dumper = await connection.findDumper();
    await sweep(calm, context);
    lock = await RestoreLock.take(calm, names);
    const journal = new Journal(calm, names);
    await journal.create();
    return new ServerRestore({
      connection,
      context,
      options,
      lock,
      place: { connection: calm, dumper, names, journal },
    });
  } catch (error) {
    await lock?.release();
    connection.close();
    throw error;
  }
}

/** One that cannot be undone stays for people to look at. */
async function sweep(connection: MysqlConnection, context: RestoreContext): Promise<void> {
  for (const names of await findDeadRestores(connection)) {
    try {
      const entries = await new Journal(connection, names).read();
      for (const [index, entry] of [...(entries ?? [])].reverse()) await undoSwap({ connection, names }, index, entry);
      for (const entry of entries?.values() ?? []) tellLostViews(await remakeViews(connection, entry), context);
      await dropRestore(connection, names, { isDone: entries === null });
      context.log('info', `What the broken restore ${names.id} left was ${entries === null ? 'removed' : 'undone'}.`);
    } catch (error) {
      context.log('warn', `What the broken restore ${names.id} left could not be undone: ${toAppError(error).message}`);
    }
  }
}

interface Parts {
  readonly connection: MysqlConnection;
  readonly context: RestoreContext;
  readonly options: MysqlRestoreOptions;
  readonly lock: RestoreLock;
  readonly place: SwapPlace & { readonly dumper: Tool };
}

class ServerRestore implements RestoreSession {
  readonly #parts: Parts;
  readonly #renames: Map<string, string>;
  readonly #targets: TargetNames;
  readonly #versions: VersionQuestion;
  readonly #loaded: LoadedDatabase[] = [];
  #grants: string | null = null;
  #bytes = 0;
  #isClosed = false;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#renames = parseRenames(parts.options.rename);
    this.#targets = new TargetNames(parts.connection);
    this.#versions = new VersionQuestion(parts.connection.serverName, parts.options, parts.context);
  }

  async write(entry: RestoreEntry): Promise<void> {
    const path = Buffer.from(entry.path).toString('utf8').replace(/^\//, '');
    const [, folder = '', file = ''] = path.split('/');
    if (!entry.content || !isWanted(path, this.#parts.context.paths)) return;
    this.#parts.context.progress({ items: 1, currentItem: databaseOfFolder(folder) });
    if (folder === GRANTS_FILE) this.#grants = await readText(this.#counted(entry.content));
    else if (file === 'dump.sql') await this.#load(databaseOfFolder(folder), entry.content);
    else if (file === 'inventory.json') await this.#check(databaseOfFolder(folder), entry.content);
    else throw new AppError('ARTIFACT_DAMAGED', { reason: `${folder}/${file} is no part of such a backup` });
  }

  async commit(): Promise<RestoreOutcome> {
    const { place, context } = this.#parts;
    for (const database of this.#loaded) await this.#prove(database);
    for (const { target } of this.#loaded) await assertReplaceable(this.#parts, target, { isSwapNext: true });
    if (context.signal.aborted) throw new AppError('CANCELLED');
    await this.#parts.lock.assertHeld(place.connection);
    try {
      for (const database of this.#loaded) {
        await swapDatabase(place, this.#swapOf(database));
      }
      await place.journal.writeDone();
    } catch (error) {
      await this.#undo(toAppError(error));
      throw error;
    }
    await this.#close({ isDone: true });
    await this.#restoreGrants();
    for (const database of this.#loaded) await tellMissingDefiners(context, place.connection, database);
    await this.#release();
    const withGrants = this.#grants !== null && this.#parts.options.restoreGrants;
    return {
      itemsWritten: this.#loaded.length + (withGrants ? 1 : 0),
      bytesWritten: this.#bytes,
      itemsSkipped: 0,
    };
  }

  async rollback(): Promise<void> {
    await this.#close({ isDone: false });
    await this.#release();
  }

  async #load(source: string, content: AsyncIterable<Uint8Array>): Promise<void> {
    const { connection, place } = this.#parts;
    const index = this.#loaded.length;
    const target = this.#renames.get(source) ?? source;
    const head = await peekServer(content);
    if (head.found !== null) this.#versions.ask(source, head.found);
    await this.#targets.take(target);
    await assertReplaceable(this.#parts, target);
    const scratch = place.names.scratch(index);
    await connection.query(`CREATE DATABASE ${quoteName(scratch)}`, { doing: 'create databases' });
    const client = new FedClient(connection, scratch);
    try {
      const writeTables = (bytes: Buffer) => client.write(bytes);
      const dump = await loadDump({ database: source, scratch, content: this.#counted(head.content), writeTables });
      await client.finish();
      this.#loaded.push({ index, source, target, dump, inventory: null });
    } catch (error) {
      client.kill();
      throw error;
    }
  }

  async #check(source: string, content: AsyncIterable<Uint8Array>): Promise<void> {
    const inventory = parseInventory(await readText(this.#counted(content)));
    const loaded = this.#loaded.find((database) => database.source === source);
    if (!loaded) return;
    this.#versions.ask(source, inventory.server);
    tellLeftOut(source, inventory, this.#parts.context);
    assertSame(source, inventory.objects, loaded.dump.objects);
    loaded.inventory = inventory;
  }

  /** Makes the code in the scratch database too, and counts everything there. */
  async #prove({ index, source, dump, inventory }: LoadedDatabase): Promise<void> {
    const { connection, place, options, context } = this.#parts;
    const scratch = place.names.scratch(index);
    const names = new Map(this.#loaded.map((other) => [other.source, place.names.scratch(other.index)]));
    const rewrite = { names, definer: options.definer, isProof: true };
    await runCode(connection, scratch, { code: dump.code, rewrite });
    const found = await readInventory(connection, scratch);
    assertSame(source, inventory?.objects ?? dump.objects, await countRows(connection, scratch, found));
    context.log('info', `${source}: restored into a scratch database and compared.`);
  }

  #swapOf({ index, source, target, dump, inventory }: LoadedDatabase): Swap {
    const { options } = this.#parts;
    const renamed = new Map(
      this.#loaded.filter((one) => one.source !== one.target).map((one) => [one.source, one.target]),
    );
    const rewrite: RewriteOptions = { names: renamed, definer: options.definer, isProof: false };
    if (source !== target) tellNamesKept(this.#parts.context, { source, code: dump.code, rewrite });
    const { charset = '', collation = '' } = inventory?.details ?? {};
    return { index, target, charset, collation, code: dump.code, rewrite };
  }

  async #undo(reason: AppError): Promise<void> {
    const { place, context } = this.#parts;
    context.log('warn', `The restore is taken back: ${reason.message}`);
    const entries = await place.journal.read();
    for (const [index, entry] of [...(entries ?? [])].reverse()) await undoSwap(place, index, entry);
    // Only now all databases are what they were.
    for (const entry of entries?.values() ?? []) tellLostViews(await remakeViews(place.connection, entry), context);
  }

  /** Nothing here can undo what is in place; what fails is told. */
  async #restoreGrants(): Promise<void> {
    const { place, context, options } = this.#parts;
    if (this.#grants === null || !options.restoreGrants) return;
    try {
      const client = new FedClient(place.connection, 'mysql');
      await client.write(Buffer.from(`${this.#grants}FLUSH PRIVILEGES;\n`));
      await client.finish();
    } catch (error) {
      context.problem({ path: `/mysql/${GRANTS_FILE}`, code: 'metadata', message: toAppError(error).message });
    }
  }

  #counted(content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    return counted(content, (bytes) => {
      this.#bytes += bytes;
      this.#parts.context.progress({ bytes });
    });
  }

  async #close(how: { readonly isDone: boolean }): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const { place, context } = this.#parts;
    try {
      await dropRestore(place.connection, place.names, how);
    } catch (error) {
      context.log('warn', `The next restore clears away what this one left: ${toAppError(error).message}`);
    }
  }

  async #release(): Promise<void> {
    await this.#parts.lock.release();
    this.#parts.connection.close();
  }
}
