/** A restore into a server that changes nothing: dumps are read through, and what would happen is told. */
import { AppError } from '@backupx/contracts/errors';
import { countObjects, type InventoryObject } from './database-inventory.ts';
import { counted } from './entry-content.ts';
import type { RestoreContext, RestoreEntry, RestoreOutcome, RestoreSession } from './source.ts';
import { isWanted } from './wanted-paths.ts';

/** What a source knows of it. */
export interface PreviewedSource {
  /** How an entry is called for people; null: it is no part of such a backup. */
  nameOf(entryPath: Uint8Array): string | null;
  /** Reads the content to its end, and tells what would happen to the database it is for. */
  look(entryPath: Uint8Array, content: AsyncIterable<Uint8Array>): Promise<void>;
  /** Logs out. */
  close(): void | Promise<void>;
}

/** See above. */
export class RestorePreview implements RestoreSession {
  readonly #context: RestoreContext;
  readonly #source: PreviewedSource;
  #items = 0;
  #bytes = 0;

  constructor(context: RestoreContext, source: PreviewedSource) {
    this.#context = context;
    this.#source = source;
  }

  async write(entry: RestoreEntry): Promise<void> {
    const { paths, progress } = this.#context;
    const name = this.#source.nameOf(entry.path);
    if (name === null || !entry.content || !isWanted(entry.path, paths)) return;
    this.#items += 1;
    progress({ items: 1, currentItem: name });
    const onBytes = (bytes: number) => {
      this.#bytes += bytes;
      progress({ bytes });
    };
    await this.#source.look(entry.path, counted(entry.content, onBytes));
  }

  async commit(): Promise<RestoreOutcome> {
    await this.#source.close();
    return { itemsWritten: this.#items, bytesWritten: this.#bytes, itemsSkipped: 0 };
  }

  async rollback(): Promise<void> {
    await this.#source.close();
  }
}

const STOPS: ReadonlySet<string> = new Set([
  ...['DATABASE_EXISTS', 'DATABASE_IN_USE', 'DATABASE_PERMISSION', 'RESTORE_TARGET_INVALID'],
  ...['DATABASE_SERVER_OLDER', 'DATABASE_SERVER_NEWER', 'DATABASE_SERVER_OTHER'],
]);

/** What would stop the restore of one database is told, and is no failure: others of it are looked at, too. */
export async function tellStop(
  database: string,
  { log }: Pick<RestoreContext, 'log'>,
  look: () => Promise<void>,
): Promise<void> {
  try {
    await look();
  } catch (error) {
    if (!(error instanceof AppError) || !STOPS.has(error.code)) throw error;
    log('warn', `The restore of "${database}" would stop: ${error.message}`);
  }
}

/** What a restore would do to one database, in words. */
export function foreseen(
  target: string,
  what: {
    readonly server: string;
    readonly there: readonly InventoryObject[];
    readonly stored: readonly InventoryObject[];
    readonly mayReplace: boolean;
  },
): string {
  const there = countObjects(what.there);
  const replaced = what.mayReplace
    ? `would replace what is there (${there})`
    : `is there already (${there}); the restore would stop`;
  const how = what.there.length === 0 ? 'would be made' : replaced;
  return `${target} on ${what.server} ${how}: ${countObjects(what.stored)} in the backup.`;
}
