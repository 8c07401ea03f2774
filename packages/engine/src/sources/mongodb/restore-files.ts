/** A restore into a folder: archives as files, for people who go on with mongorestore. */
import { join } from 'node:path';
import type { RestoreContext, RestoreEntry, RestoreOutcome, RestoreSession } from '../../ports/source.ts';
import { StagedFiles } from '../../ports/staged-files.ts';
import { DUMP, type EntryPlace, folderName, INVENTORY, placeOf, ROOT, textOfPath, USERS } from './entry-paths.ts';
import { isWanted } from './wanted-paths.ts';

const NS_PER_MS = 1_000_000n;

/** Opens it. */
export function openFileRestore(folder: string, context: RestoreContext): RestoreSession {
  return new FileRestore(folder, context);
}

class FileRestore implements RestoreSession {
  readonly #folder: string;
  readonly #context: RestoreContext;
  readonly #files: StagedFiles;
  #skipped = 0;
  #bytes = 0;

  constructor(folder: string, context: RestoreContext) {
    this.#folder = folder;
    this.#context = context;
    this.#files = new StagedFiles(folder);
  }

  async write(entry: RestoreEntry): Promise<void> {
    const { paths, overwrite, progress } = this.#context;
    const place = placeOf(entry.path);
    if (!place || !entry.content || !isWanted(textOfPath(entry.path), paths)) return;
    // Made from what the entry stands for, not from its text: that may be anybody's.
    const path = join(this.#folder, ROOT, ...partsOf(place));
    const modifiedAt = new Date(Number(entry.modifiedAtNs / NS_PER_MS));
    if (!this.#files.mayWrite(path, modifiedAt, overwrite)) {
      this.#skipped += 1;
      return;
    }
    const onBytes = (bytes: number) => progress({ bytes });
    this.#bytes += await this.#files.write(path, entry.content, { modifiedAt, onBytes });
    progress({ items: 1, currentItem: path });
  }

  async commit(): Promise<RestoreOutcome> {
    this.#files.commit();
    return { itemsWritten: this.#files.count, bytesWritten: this.#bytes, itemsSkipped: this.#skipped };
  }

  async rollback(): Promise<void> {
    this.#files.rollback();
  }
}

function partsOf(place: EntryPlace): string[] {
  if (place.item === 'users') return [USERS];
  const file = place.item === 'dump' ? DUMP : INVENTORY;
  return place.database === null ? [file] : [folderName(place.database), file];
}
