/** One dump: by mongodump or by ourselves, as an archive that is checked while it passes. */
import { AppError } from '@backupx/contracts/errors';
import { type DatabaseInventory, type InventoryObject, missingObjects } from '../../ports/database-inventory.ts';
import { outputOf, type ToolEnd } from '../../ports/processes.ts';
import type { ArchiveInventory } from './archive-format.ts';
import { scannedArchive } from './archive-scanner.ts';
import type { MongodbConnection } from './connection.ts';
import { driverError, toolError } from './failures.ts';
import { dumpDatabaseNatively } from './native-dump.ts';
import { objectsOfArchive, readInventory } from './read-inventory.ts';
import { OWN_COLLECTION } from './scratch-names.ts';
import { sortedPrelude } from './sorted-prelude.ts';
import { describeTool, type Tool } from './tools.ts';
import { whileServerLives } from './watch-output.ts';

export interface DumpOptions {
  readonly connection: MongodbConnection;
  /** Null: the native path. */
  readonly tool: Tool | null;
  readonly database: string;
  /** A sentence for the log. */
  note(message: string): void;
}

/** Arguments beside the file with the login. One collection after the other, so that none lies within another. */
function dumpArgs({ database, tool }: Pick<DumpOptions, 'database' | 'tool'>): string[] {
  const exclusions = ['backupx_new_', 'backupx_old_', 'backupx_journal_'];
  return tool === null
    ? []
    : [
        ...['--archive', `--db=${database}`, '--numParallelCollections=1'],
        ...exclusions.map((prefix) => `--excludeCollectionsWithPrefix=${prefix}`),
      ];
}

/** A dump on its way: `stream` to its end, then `inventory` and `gaps`. */
export class DatabaseDump {
  readonly #options: DumpOptions;
  readonly #before: readonly InventoryObject[];
  #archive: ArchiveInventory | null = null;
  #messages = '';

  private constructor(options: DumpOptions, before: readonly InventoryObject[]) {
    this.#options = options;
    this.#before = before;
  }

  /** Counts what there is. The tool starts with the first read. */
  static async open(options: DumpOptions): Promise<DatabaseDump> {
    return new DatabaseDump(options, await readInventory(options.connection, options.database));
  }

  /** Throws DATABASE_TOOL_FAILED and others of the tool, DATABASE_DUMP_INCOMPLETE. */
  async *stream(): AsyncGenerator<Uint8Array> {
    const { tool } = this.#options;
    yield* tool ? this.#dumpWith(tool) : this.#dumpNatively();
  }

  /** What the dump holds. */
  get inventory(): DatabaseInventory {
    const { connection, tool, database } = this.#options;
    return {
      format: 1,
      server: connection.serverName,
      tool: describeTool(tool),
      database,
      objects: this.#archive ? objectsOfArchive(this.#archive, database) : [],
      details: detailsOf(connection),
    };
  }

  /** What the server had before the dump and the dump has not. */
  get gaps(): string[] {
    return missingObjects(this.#before, this.inventory.objects);
  }

  /** What mongodump said although it ended well; empty: it was not used. */
  get messages(): string {
    return this.#messages;
  }

  #dumpWith(tool: Tool): AsyncGenerator<Uint8Array> {
    const { connection, database } = this.#options;
    return scannedDump(connection, {
      name: database,
      tool,
      args: dumpArgs(this.#options),
      onInventory: (inventory) => {
        this.#archive = inventory;
      },
      onMessages: (messages) => {
        this.#messages = messages;
      },
    });
  }

  async *#dumpNatively(): AsyncGenerator<Uint8Array> {
    const { connection, database, note } = this.#options;
    const { client, signal, config } = connection;
    const onInventory = (inventory: ArchiveInventory) => {
      this.#archive = inventory;
    };
    const wants = (name: string) => !OWN_COLLECTION.test(name);
    try {
      yield* dumpDatabaseNatively({ client, database, signal, wants, note, onInventory });
    } catch (error) {
      if (signal.aborted) throw new AppError('CANCELLED', {}, { cause: error });
      throw driverError(error, { config, doing: `dump ${database}` });
    }
  }
}

/** What an inventory tells of the server beside its version. */
export function detailsOf({ facts }: MongodbConnection): Record<string, string> {
  return facts.replicaSet === '' ? {} : { replicaSet: facts.replicaSet };
}

/** Output of mongodump that ends only when it is whole. */
export async function* scannedDump(
  connection: MongodbConnection,
  {
    name,
    tool,
    args,
    onInventory,
    onMessages,
  }: {
    readonly name: string;
    readonly tool: Tool;
    readonly args: readonly string[];
    onInventory(inventory: ArchiveInventory): void;
    onMessages(messages: string): void;
  },
): AsyncGenerator<Uint8Array> {
  const { signal, config } = connection;
  const running = connection.start(tool, args);
  running.endInput();
  const failure = (end: ToolEnd) => toolError(end, { tool: tool.name, doing: `dump ${name}`, config });
  const output = whileServerLives(connection, running, outputOf(running, { signal, failure }));
  yield* scannedArchive(sortedPrelude(output), {
    onInventory,
    failure: (reason) => new AppError('DATABASE_DUMP_INCOMPLETE', { name, reason }),
  });
  onMessages((await running.ended).messages);
}
