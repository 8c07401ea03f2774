/** The dump of a whole replica set with its operations log: all databases of one moment, in one archive. */
import { AppError } from '@backupx/contracts/errors';
import { type DatabaseInventory, type InventoryObject, missingObjects } from '../../ports/database-inventory.ts';
import type { ArchiveInventory } from './archive-format.ts';
import type { MongodbConnection } from './connection.ts';
import { detailsOf, scannedDump } from './dump-database.ts';
import { listDatabases } from './list-databases.ts';
import { objectsOfArchive, readInventory } from './read-inventory.ts';
import type { MongodbConfig } from './settings.ts';
import { chooseTool, describeTool, type Tool } from './tools.ts';

const ARGS = ['--archive', '--oplog', '--numParallelCollections=1'];

interface ServerDumpOptions {
  readonly config: MongodbConfig;
  readonly connection: MongodbConnection;
  readonly tool: Tool | null;
}

/** See above: `stream` to its end, then `inventory` and `gaps`. */
export class ServerDump {
  readonly #connection: MongodbConnection;
  readonly #tool: Tool;
  readonly #before: readonly InventoryObject[];
  #archive: ArchiveInventory | null = null;
  #messages = '';

  private constructor(connection: MongodbConnection, tool: Tool, before: readonly InventoryObject[]) {
    this.#connection = connection;
    this.#tool = tool;
    this.#before = before;
  }

  /** Throws DATABASE_NOT_READY where it cannot be done; DATABASE_TOOL_MISSING. */
  static async open({ config, connection, tool }: ServerDumpOptions): Promise<ServerDump> {
    const { facts, address, signal } = connection;
    const refuse = (reason: string) => new AppError('DATABASE_OPLOG', { server: address, reason });
    if (config.databases.length > 0 || config.excludeDatabases.length > 0) {
      throw refuse('the operations log is of all databases, and some were chosen or left out');
    }
    if (facts.isSharded) throw refuse('it is a sharded cluster');
    if (facts.replicaSet === '') throw refuse('it is no member of a replica set');
    const program = tool ?? (await chooseTool('mongodump', { ...config, program: 'tools' }, signal));
    if (!program) throw refuse('mongodump is needed for it');
    return new ServerDump(connection, program, await readAll(connection));
  }

  stream(): AsyncGenerator<Uint8Array> {
    return scannedDump(this.#connection, {
      name: 'the server',
      tool: this.#tool,
      args: ARGS,
      onInventory: (inventory) => {
        this.#archive = inventory;
      },
      onMessages: (messages) => {
        this.#messages = messages;
      },
    });
  }

  /** What mongodump said although it ended well. */
  get messages(): string {
    return this.#messages;
  }

  get inventory(): DatabaseInventory {
    const objects = this.#archive ? objectsOfServer(this.#archive) : [];
    const { serverName } = this.#connection;
    const details = { ...detailsOf(this.#connection), oplog: 'yes' };
    return { format: 1, server: serverName, tool: describeTool(this.#tool), database: '', objects, details };
  }

  get gaps(): string[] {
    return missingObjects(this.#before, this.inventory.objects);
  }
}

const named = (database: string, objects: readonly InventoryObject[]): InventoryObject[] =>
  objects.map((object) => ({ ...object, name: `${database}.${object.name}` }));

async function readAll(connection: MongodbConnection): Promise<InventoryObject[]> {
  const objects: InventoryObject[] = [];
  for (const { name } of await listDatabases(connection)) {
    objects.push(...named(name, await readInventory(connection, name)));
  }
  return objects;
}

/**
 * Objects of all databases, named with their database; the operations log and the server's own are none. Documents are
 * not counted: the log changes them.
 */
export function objectsOfServer(archive: ArchiveInventory): InventoryObject[] {
  const databases = [...new Set(archive.collections.map(({ db }) => db))].filter((db) => db !== '' && db !== 'admin');
  return databases.flatMap((db) =>
    named(
      db,
      objectsOfArchive(archive, db).map(({ kind, name }) => ({ kind, name })),
    ),
  );
}
