/** A restore into a folder: dumps as files, for people who go on with programs of their own. */
import { join } from 'node:path';
import { AppError } from '@backupx/contracts/errors';
import type { RestoreContext, RestoreEntry, RestoreOutcome, RestoreSession } from '../../ports/source.ts';
import { StagedFiles } from '../../ports/staged-files.ts';
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
    if (!entry.content) return;
    const { paths, overwrite, progress } = this.#context;
    const whole = Buffer.from(entry.path).toString('utf8');
    if (!isWanted(whole, paths)) return;
    const parts = whole.split('/').filter((part) => part !== '');
    if (parts.some((part) => part === '.' || part === '..' || part.includes('\0'))) {
      throw new AppError('ARTIFACT_DAMAGED', { reason: 'a path in it leads out of its folder' });
    }
    const path = join(this.#folder, ...parts);
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
