/** Dumps as files below a folder: written beside their place, put there when all of them are whole. */
import { join } from 'node:path';
import type { RestoreContext, RestoreEntry, RestoreOutcome, RestoreSession } from '../../ports/source.ts';
import { StagedFiles } from '../../ports/staged-files.ts';
import { DUMP, DUMP_FOLDER, folderNameOf, GLOBALS, INVENTORY, placeOf, ROOT } from './entry-paths.ts';
import { isWantedPath } from './wanted-paths.ts';

const NS_PER_MS = 1_000_000n;

/** Where below the folder what an entry stands for is written; null: it is none of ours. */
export type FilePath = (entryPath: Uint8Array) => string | null;

/** See above. */
export class FileRestore implements RestoreSession {
  readonly #targetPath: string;
  readonly #context: RestoreContext;
  readonly #pathOf: FilePath;
  readonly #files: StagedFiles;
  #skipped = 0;
  #bytes = 0;

  constructor(targetPath: string, context: RestoreContext, pathOf: FilePath = pathOfDump) {
    this.#targetPath = targetPath;
    this.#context = context;
    this.#pathOf = pathOf;
    this.#files = new StagedFiles(targetPath);
  }

  async write(entry: RestoreEntry): Promise<void> {
    const { paths, isDryRun, log } = this.#context;
    const below = this.#pathOf(entry.path);
    if (below === null || !isWantedPath(entry.path, paths)) return;
    const path = join(this.#targetPath, below);
    if (!entry.content) {
      if (entry.type === 'directory' && !isDryRun) this.#files.makeFolder(path);
      return;
    }
    const modifiedAt = new Date(Number(entry.modifiedAtNs / NS_PER_MS));
    this.#context.progress({ items: 1, currentItem: path });
    if (isDryRun) {
      log('info', `Would write ${path}.`);
      return;
    }
    if (!this.#files.mayWrite(path, modifiedAt, this.#context.overwrite)) {
      this.#skipped += 1;
      return;
    }
    const onBytes = (bytes: number) => this.#context.progress({ bytes });
    this.#bytes += await this.#files.write(path, entry.content, { modifiedAt, onBytes });
  }

  async commit(): Promise<RestoreOutcome> {
    this.#files.commit();
    return { itemsWritten: this.#files.count, bytesWritten: this.#bytes, itemsSkipped: this.#skipped };
  }

  async rollback(): Promise<void> {
    this.#files.rollback();
  }
}

/** Made from what the entry stands for, not from its text: that may be anybody's. */
function pathOfDump(entryPath: Uint8Array): string | null {
  const place = placeOf(entryPath);
  if (!place) return null;
  if (place.item === 'globals') return join(ROOT, GLOBALS);
  const folder = join(ROOT, folderNameOf(place.database ?? ''));
  if (place.item === 'part') return join(folder, DUMP_FOLDER, place.file);
  return join(folder, place.item === 'dump' ? DUMP : INVENTORY);
}
