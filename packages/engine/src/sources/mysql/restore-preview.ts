/** A restore that changes nothing: dumps are read through, and what would happen to each database or file is told. */
import { countObjects } from '../../ports/database-inventory.ts';
import type { RestoreContext, RestoreEntry, RestoreOutcome, RestoreSession } from '../../ports/source.ts';
import { MysqlConnection } from './connection.ts';
import { loadDump } from './load-dump.ts';
import { readInventory } from './read-inventory.ts';
import { type MysqlConfig, type MysqlRestoreOptions, parseRenames, restoreConnection } from './settings.ts';
import { databaseName } from './sql-text.ts';
import { isWanted } from './wanted-paths.ts';

/** Opens it; logs in when the restore would go to a server. Throws DATABASE_*. */
export async function openRestorePreview(config: MysqlConfig, context: RestoreContext): Promise<RestoreSession> {
  const options = context.options as MysqlRestoreOptions;
  const isForServer = context.targetPath === null;
  const connection = isForServer ? await MysqlConnection.open(restoreConnection(config, options), context) : null;
  return new RestorePreview(context, connection);
}

class RestorePreview implements RestoreSession {
  readonly #context: RestoreContext;
  readonly #connection: MysqlConnection | null;
  #items = 0;
  #bytes = 0;

  constructor(context: RestoreContext, connection: MysqlConnection | null) {
    this.#context = context;
    this.#connection = connection;
  }

  async write(entry: RestoreEntry): Promise<void> {
    const path = Buffer.from(entry.path).toString('utf8').replace(/^\/*/, '/');
    if (!entry.content || !isWanted(path, this.#context.paths)) return;
    this.#items += 1;
    this.#context.progress({ items: 1, currentItem: path });
    const [, , folder = '', file = ''] = path.split('/');
    const content = this.#counted(entry.content);
    if (this.#connection && file === 'dump.sql') await this.#tell(this.#connection, databaseName(folder), content);
    else for await (const _ of content);
    if (!this.#connection) this.#context.log('info', `Would write ${this.#context.targetPath}${path}.`);
  }

  async commit(): Promise<RestoreOutcome> {
    this.#connection?.close();
    return { itemsWritten: this.#items, bytesWritten: this.#bytes, itemsSkipped: 0 };
  }

  async rollback(): Promise<void> {
    this.#connection?.close();
  }

  async #tell(connection: MysqlConnection, source: string, content: AsyncIterable<Uint8Array>): Promise<void> {
    const { rename, replaceExisting } = this.#context.options as MysqlRestoreOptions;
    const target = parseRenames(rename).get(source) ?? source;
    const dump = await loadDump({ database: source, scratch: target, content, writeTables: async () => {} });
    const { objects } = await readInventory(connection, target);
    const there = countObjects(objects);
    const what = objects.length === 0 ? 'would be made' : `would replace what is there (${there})`;
    const how = objects.length > 0 && !replaceExisting ? `is there already (${there}); the restore would stop` : what;
    this.#context.log(
      'info',
      `${target} on ${connection.address} ${how}: ${countObjects(dump.objects)} in the backup.`,
    );
  }

  async *#counted(content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of content) {
      this.#bytes += chunk.byteLength;
      this.#context.progress({ bytes: chunk.byteLength });
      yield chunk;
    }
  }
}
