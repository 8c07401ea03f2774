/**
 * A restore into a server. While entries arrive each database is loaded beside its target, in collections with other
 * names; `commit` counts documents and looks at indexes there, compares all with the inventory, and only then puts every
 * collection in its place (`swap-collections.ts`). What goes wrong on the way leaves what was there as it was.
 */

import { AppError, toAppError } from '@backupx/contracts/errors';
import { parseInventory } from '../../ports/database-inventory.ts';
import { parseRenames } from '../../ports/database-names.ts';
import { counted, readText } from '../../ports/entry-content.ts';
import type { RestoreContext, RestoreEntry, RestoreOutcome, RestoreSession } from '../../ports/source.ts';
import { VersionQuestion } from '../../ports/version-difference.ts';
import { isWanted } from '../../ports/wanted-paths.ts';
import { MongodbConnection } from './connection.ts';
import { displayPlace, type EntryPlace, placeOf, ROOT, textOfPath, USERS } from './entry-paths.ts';
import { LoadedDatabase, nameTwice } from './loaded-database.ts';
import { OtherClients } from './other-clients.ts';
import { ServerRestore } from './restore-server.ts';
import { peekServer } from './saved-server.ts';
import { type MongodbConfig, type MongodbRestoreOptions, restoreConnection } from './settings.ts';
import { chooseTool, describeTool, type Tool } from './tools.ts';
import { parseUsers, restoreUsers } from './users.ts';

/** Opens it: logs in. Throws DATABASE_*. */
export async function openServerRestore(config: MongodbConfig, context: RestoreContext): Promise<RestoreSession> {
  const options = context.options as MongodbRestoreOptions;
  const place = restoreConnection(config, options);
  const tool = await chooseTool('mongorestore', place, context.signal);
  const connection = await MongodbConnection.open(place, context);
  const { serverName, address } = connection;
  context.log('info', `${serverName} at ${address}, restored by ${tool ? describeTool(tool) : 'BackupX itself'}.`);
  const others = new OtherClients({ connection, options, context });
  return new DatabaseRestore({ connection, context, options, tool, others });
}

/** What all steps of a restore need. */
export interface RestoreParts {
  readonly connection: MongodbConnection;
  readonly context: RestoreContext;
  readonly options: MongodbRestoreOptions;
  /** Null: the native path. */
  readonly tool: Tool | null;
  readonly others: OtherClients;
}

class DatabaseRestore implements RestoreSession {
  readonly #parts: RestoreParts;
  readonly #renames: Map<string, string>;
  readonly #versions: VersionQuestion;
  readonly #loaded: LoadedDatabase[] = [];
  #server: ServerRestore | null = null;
  #users: string | null = null;
  #bytes = 0;

  constructor(parts: RestoreParts) {
    this.#parts = parts;
    this.#renames = parseRenames(parts.options.rename);
    this.#versions = new VersionQuestion(parts.connection.serverName, parts.options, parts.context);
  }

  async write(entry: RestoreEntry): Promise<void> {
    const path = textOfPath(entry.path);
    if (!entry.content || !isWanted(path, this.#parts.context.paths)) return;
    const place = placeOf(entry.path);
    if (!place) throw new AppError('ARTIFACT_DAMAGED', { reason: `${path} is no part of such a backup` });
    this.#parts.context.progress({ items: 1, currentItem: displayPlace(place) });
    await this.#take(place, this.#counted(entry.content));
  }

  async commit(): Promise<RestoreOutcome> {
    const { context, connection } = this.#parts;
    for (const database of this.#loaded) await database.prove();
    for (const database of this.#loaded) await database.assertReplaceable({ isSwapNext: true });
    if (context.signal.aborted) throw new AppError('CANCELLED');
    try {
      for (const database of this.#loaded) await database.swap();
      for (const database of this.#loaded) await database.writeDone();
    } catch (error) {
      context.log('warn', `The restore is taken back: ${toAppError(error).message}`);
      for (const database of [...this.#loaded].reverse()) await database.undo();
      throw error;
    }
    for (const database of this.#loaded) await database.close();
    const databases = (await this.#server?.commit()) ?? 0;
    const users = await this.#restoreUsers();
    await connection.close();
    return { itemsWritten: this.#loaded.length + databases + users, bytesWritten: this.#bytes, itemsSkipped: 0 };
  }

  async rollback(): Promise<void> {
    for (const database of this.#loaded) await database.close();
    this.#server?.close();
    await this.#parts.connection.close();
  }

  async #take(place: EntryPlace, content: AsyncIterable<Uint8Array>): Promise<void> {
    if (place.item === 'users') {
      this.#users = await readText(content);
    } else if (place.item === 'inventory') {
      const inventory = parseInventory(await readText(content));
      this.#versions.ask(displayPlace(place), inventory.server);
      if (place.database === null) this.#server?.compare(inventory);
      this.#loaded.find(({ source }) => source === place.database)?.compare(inventory);
    } else {
      await this.#takeDump(place, content);
    }
  }

  async #takeDump(place: Exclude<EntryPlace, { item: 'users' }>, content: AsyncIterable<Uint8Array>): Promise<void> {
    const head = await peekServer(content);
    if (head.found !== null) this.#versions.ask(displayPlace(place), head.found);
    if (place.database === null) {
      this.#server = await ServerRestore.open(this.#parts);
      await this.#server.write(head.content);
    } else {
      await this.#load(place.database, head.content);
    }
  }

  async #load(source: string, content: AsyncIterable<Uint8Array>): Promise<void> {
    const target = this.#renames.get(source) ?? source;
    if (this.#loaded.some((other) => other.target === target)) throw nameTwice(target);
    const database = await LoadedDatabase.open(this.#parts, { source, target });
    this.#loaded.push(database);
    await database.load(content);
  }

  /** Nothing here can undo what is in place; what fails is told. */
  async #restoreUsers(): Promise<number> {
    const { context, options, connection } = this.#parts;
    if (this.#users === null || !options.restoreUsers) return 0;
    try {
      const count = await restoreUsers(connection, parseUsers(this.#users));
      context.log('info', `${count} user(s) and role(s) were missing and are made.`);
      return 1;
    } catch (error) {
      const { message } = toAppError(error);
      context.problem({ path: `${ROOT}/${USERS}`, code: 'metadata', message });
      return 0;
    }
  }

  #counted(content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    return counted(content, (bytes) => {
      this.#bytes += bytes;
      this.#parts.context.progress({ bytes });
    });
  }
}
