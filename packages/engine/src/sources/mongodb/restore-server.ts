/**
 * A restore of a whole replica set with its operations log. The log is of all databases at once and knows them by their
 * names, so nothing can be renamed and nothing be put aside: the dump is kept in a file until it is known to be whole,
 * and only then are collections replaced one by one.
 */
import { createReadStream, createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { AppError } from '@backupx/contracts/errors';
import { type DatabaseInventory, missingObjects } from '../../ports/database-inventory.ts';
import { SecretFolder } from '../../ports/secret-folder.ts';
import type { ArchiveInventory } from './archive-format.ts';
import { scannedArchive } from './archive-scanner.ts';
import { objectsOfServer } from './dump-server.ts';
import { listDatabases } from './list-databases.ts';
import { feed } from './load-archive.ts';
import { listCollections } from './read-inventory.ts';
import type { RestoreParts } from './restore-session.ts';
import { chooseTool, type Tool } from './tools.ts';

const NAME = 'the server';

/** See above. */
export class ServerRestore {
  readonly #parts: RestoreParts;
  readonly #tool: Tool;
  readonly #folder: SecretFolder;
  #archive: ArchiveInventory | null = null;

  private constructor(parts: RestoreParts, tool: Tool) {
    this.#parts = parts;
    this.#tool = tool;
    this.#folder = new SecretFolder(parts.context.tempDir);
  }

  /** Throws DATABASE_OPLOG, DATABASE_TOOL_MISSING. */
  static async open(parts: RestoreParts): Promise<ServerRestore> {
    const { connection, options, context } = parts;
    const refuse = (reason: string) => new AppError('DATABASE_OPLOG', { server: connection.address, reason });
    if (options.rename.length > 0) throw refuse('its operations log knows databases by their names; they stay');
    if (options.collections.length > 0) throw refuse('its operations log is of all collections');
    const place = { ...connection.config, program: 'tools' as const };
    const tool = parts.tool ?? (await chooseTool('mongorestore', place, context.signal));
    if (!tool) throw refuse('mongorestore is needed for it');
    return new ServerRestore(parts, tool);
  }

  get #path(): string {
    return join(this.#folder.path, 'dump.archive');
  }

  /** Keeps the dump. Throws DATABASE_DUMP_DAMAGED, DATABASE_EXISTS, DATABASE_IN_USE. */
  async write(content: AsyncIterable<Uint8Array>): Promise<void> {
    const archive = scannedArchive(content, {
      onInventory: (inventory) => {
        this.#archive = inventory;
      },
      failure: (reason) => new AppError('DATABASE_DUMP_DAMAGED', { name: NAME, reason }),
    });
    await this.#keep(archive);
    this.#assertUsersWanted();
    await this.#assertReplaceable();
  }

  async #keep(archive: AsyncIterable<Uint8Array>): Promise<void> {
    const { signal } = this.#parts.context;
    try {
      await pipeline(archive, createWriteStream(this.#path, { mode: 0o600 }), { signal });
    } catch (error) {
      if (signal.aborted) throw new AppError('CANCELLED', {}, { cause: error });
      if (typeof (error as NodeJS.ErrnoException).syscall !== 'string') throw error;
      const reason = `the dump does not fit beside the other temporary files: ${(error as Error).message}`;
      throw new AppError('RESTORE_TARGET_INVALID', { path: this.#path, reason }, { cause: error });
    }
  }

  compare(inventory: DatabaseInventory): void {
    if (!this.#archive) return;
    const missing = missingObjects(inventory.objects, objectsOfServer(this.#archive));
    if (missing.length > 0)
      throw new AppError('DATABASE_DUMP_DAMAGED', { name: NAME, reason: missing.slice(0, 5).join('; ') });
  }

  /** Answers how many databases there are in it. */
  async commit(): Promise<number> {
    const { connection, options } = this.#parts;
    await this.#assertReplaceable({ isSwapNext: true });
    const drop = options.replaceExisting ? ['--drop'] : [];
    const args = ['--archive', '--oplogReplay', '--stopOnError', ...drop];
    await feed(connection, { tool: this.#tool, args, archive: readFile(this.#path), doing: 'restore the server' });
    this.close();
    return new Set(this.#archive?.collections.map(({ db }) => db).filter((db) => db !== '' && db !== 'admin')).size;
  }

  close(): void {
    this.#folder.remove();
  }

  /** With the operations log mongorestore leaves nothing out. */
  #assertUsersWanted(): void {
    const { connection, options } = this.#parts;
    const hasUsers = this.#archive?.collections.some(({ db, documents }) => db === 'admin' && documents > 0);
    if (options.restoreUsers || !hasUsers) return;
    const reason =
      'the users and roles in the dump come back with it, in the place of those that exist; allow that, or restore into a folder';
    throw new AppError('DATABASE_OPLOG', { server: connection.address, reason });
  }

  async #assertReplaceable(when: { readonly isSwapNext?: boolean } = {}): Promise<void> {
    const { connection, options, others } = this.#parts;
    const dumped = new Set(this.#archive?.collections.map(({ db }) => db));
    for (const { name } of await listDatabases(connection)) {
      if (!dumped.has(name) || (await listCollections(connection, name)).length === 0) continue;
      if (options.replaceExisting) {
        await others.assertGone({ database: name, collections: null }, when);
        continue;
      }
      throw new AppError('DATABASE_EXISTS', { name: `database ${name}`, server: connection.address });
    }
  }
}

async function* readFile(path: string): AsyncGenerator<Uint8Array> {
  yield* createReadStream(path);
}
