/** A restore into a folder: dumps as files, for people who go on with programs of their own. */
import { join } from 'node:path';
import { counted } from './entry-content.ts';
import type { RestoreContext, RestoreEntry, RestoreOutcome, RestoreSession } from './source.ts';
import { StagedFiles } from './staged-files.ts';
import { isWanted } from './wanted-paths.ts';

const NS_PER_MS = 1_000_000n;

/**
 * Where below the folder an entry is written; null: it is no part of such a backup. To be made from what the path stands
 * for, not from its text, which may be anybody's. May throw.
 */
export type FilePath = (entryPath: Uint8Array) => string | null;

/** See above. A dry run tells what it would write. */
export class FolderRestore implements RestoreSession {
  readonly usesContentAtOnce = true;
  readonly #folder: string;
  readonly #context: RestoreContext;
  readonly #pathOf: FilePath;
  readonly #files: StagedFiles;
  #foreseen = 0;
  #skipped = 0;
  #bytes = 0;

  constructor(folder: string, context: RestoreContext, pathOf: FilePath) {
    this.#folder = folder;
    this.#context = context;
    this.#pathOf = pathOf;
    this.#files = new StagedFiles(folder);
  }

  async write(entry: RestoreEntry): Promise<void> {
    const { paths, isDryRun, overwrite, progress, log } = this.#context;
    const below = this.#pathOf(entry.path);
    if (below === null || !isWanted(entry.path, paths)) return;
    const path = join(this.#folder, below);
    if (!entry.content) {
      if (entry.type === 'directory' && !isDryRun) this.#files.makeFolder(path);
      return;
    }
    progress({ currentItem: path });
    const modifiedAt = new Date(Number(entry.modifiedAtNs / NS_PER_MS));
    if (!this.#files.mayWrite(path, modifiedAt, overwrite)) {
      this.#skipped += 1;
      return;
    }
    progress({ items: 1 });
    if (isDryRun) {
      this.#foreseen += 1;
      log('info', `Would write ${path}.`);
      return;
    }
    const content = counted(entry.content, (bytes) => progress({ bytes }));
    this.#bytes += await this.#files.write(path, content, { modifiedAt });
  }

  async commit(): Promise<RestoreOutcome> {
    this.#files.commit();
    const itemsWritten = this.#files.count + this.#foreseen;
    return { itemsWritten, bytesWritten: this.#bytes, itemsSkipped: this.#skipped };
  }

  async rollback(): Promise<void> {
    this.#files.rollback();
  }
}
