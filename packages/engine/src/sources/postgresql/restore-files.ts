/** Dumps as files below a folder: written beside their place, put there when all of them are whole. */
import { join } from 'node:path';
import type { RestoreContext, RestoreEntry, RestoreOutcome, RestoreSession } from '../../ports/source.ts';
import { StagedFiles } from '../../ports/staged-files.ts';
import { DUMP, folderNameOf, GLOBALS, INVENTORY, placeOf, ROOT } from './entry-paths.ts';
import { isWantedPath } from './wanted-paths.ts';

const NS_PER_MS = 1_000_000n;

/** See above. */
export class FileRestore implements RestoreSession {
  readonly #targetPath: string;
  readonly #context: RestoreContext;
  readonly #files: StagedFiles;
  #skipped = 0;
  #bytes = 0;

  constructor(targetPath: string, context: RestoreContext) {
    this.#targetPath = targetPath;
    this.#context = context;
    this.#files = new StagedFiles(targetPath);
  }

  async write(entry: RestoreEntry): Promise<void> {
    const { paths, isDryRun, log } = this.#context;
    const place = placeOf(entry.path);
    if (!place || !entry.content || !isWantedPath(entry.path, paths)) return;
    // Made from what the entry stands for, not from its text: that may be anybody's.
    const file =
      place.item === 'globals'
        ? [GLOBALS]
        : [folderNameOf(place.database ?? ''), place.item === 'dump' ? DUMP : INVENTORY];
    const path = join(this.#targetPath, ROOT, ...file);
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
