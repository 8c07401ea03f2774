/** Files of backups back into a folder, each database with a guide; put in place when all of them are whole. */
import { join } from 'node:path';
import { AppError } from '@backupx/contracts/errors';
import { formatInventory } from '../../ports/database-inventory.ts';
import { counted } from '../../ports/entry-content.ts';
import type { RestoreContext, RestoreEntry, RestoreOutcome, RestoreSession } from '../../ports/source.ts';
import { StagedFiles } from '../../ports/staged-files.ts';
import { isWanted } from '../../ports/wanted-paths.ts';
import { INVENTORY, placeOf } from './entry-paths.ts';
import { missingFiles, readInventory } from './read-inventory.ts';
import { recoveryGuide } from './recovery-guide.ts';

const NS_PER_MS = 1_000_000n;
const GUIDE = 'RECOVERY.txt';

/** See above. Follows no links below the folder. */
export class FileRestore implements RestoreSession {
  readonly #target: string;
  readonly #context: RestoreContext;
  readonly #files: StagedFiles;
  /** Sizes of the files of each folder, until its inventory comes by. */
  readonly #sizes = new Map<string, Map<string, number>>();
  #foreseen = 0;
  #skipped = 0;
  #bytes = 0;

  constructor(target: string, context: RestoreContext) {
    this.#target = target;
    this.#context = context;
    this.#files = new StagedFiles(target);
  }

  async write(entry: RestoreEntry): Promise<void> {
    const place = placeOf(entry.path);
    if (!place || !entry.content || !isWanted(entry.path, this.#context.paths)) return;
    const folder = join(this.#target, place.folder);
    const modifiedAt = new Date(Number(entry.modifiedAtNs / NS_PER_MS));
    if (place.file !== INVENTORY) {
      const size = await this.#writeFile(join(folder, place.file), entry.content, modifiedAt);
      const sizes = this.#sizes.get(place.folder) ?? new Map<string, number>();
      this.#sizes.set(place.folder, sizes.set(place.file, size));
      return;
    }
    const inventory = await readInventory(entry.content);
    const missing =
      this.#context.paths === null ? missingFiles(inventory, this.#sizes.get(place.folder) ?? new Map()) : [];
    if (missing.length > 0) {
      throw new AppError('DATABASE_DUMP_DAMAGED', { name: inventory.database, reason: missing.join('; ') });
    }
    await this.#writeFile(join(folder, INVENTORY), one(formatInventory(inventory)), modifiedAt);
    await this.#writeFile(join(folder, GUIDE), one(recoveryGuide(inventory, folder)), modifiedAt);
  }

  async commit(): Promise<RestoreOutcome> {
    this.#files.commit();
    const itemsWritten = this.#files.count + this.#foreseen;
    return { itemsWritten, bytesWritten: this.#bytes, itemsSkipped: this.#skipped };
  }

  async rollback(): Promise<void> {
    this.#files.rollback();
  }

  /** Answers the size of what came, also when it is not written. */
  async #writeFile(path: string, content: AsyncIterable<Uint8Array>, modifiedAt: Date): Promise<number> {
    const { isDryRun, overwrite, log, progress } = this.#context;
    progress({ items: 1, currentItem: path });
    const mayWrite = this.#files.mayWrite(path, modifiedAt, overwrite);
    const passing = counted(content, (bytes) => progress({ bytes }));
    if (mayWrite && !isDryRun) {
      const size = await this.#files.write(path, passing, { modifiedAt });
      this.#bytes += size;
      return size;
    }
    if (isDryRun) log('info', `Would ${mayWrite ? 'write' : 'leave'} ${path}.`);
    if (mayWrite) this.#foreseen += 1;
    else this.#skipped += 1;
    let size = 0;
    for await (const chunk of passing) size += chunk.byteLength;
    return size;
  }
}

async function* one(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text, 'utf8');
}
