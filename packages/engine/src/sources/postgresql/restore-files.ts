/** Dumps as files below a folder: written beside their place, put there when all of them are whole. */

import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  fsyncSync,
  futimesSync,
  lstatSync,
  mkdirSync,
  openSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { AppError } from '@backupx/contracts/errors';
import type { RestoreContext, RestoreEntry, RestoreOutcome, RestoreSession } from '../../ports/source.ts';
import { DUMP, folderNameOf, GLOBALS, INVENTORY, placeOf, ROOT } from './entry-paths.ts';
import { isWantedPath } from './wanted-paths.ts';

interface Staged {
  readonly temporary: string;
  readonly path: string;
}

const NS_PER_MS = 1_000_000n;

/** See above. Follows no links below the folder. */
export class FileRestore implements RestoreSession {
  readonly #targetPath: string;
  readonly #context: RestoreContext;
  readonly #staged: Staged[] = [];
  readonly #folders: string[] = [];
  #skipped = 0;
  #bytes = 0;

  constructor(targetPath: string, context: RestoreContext) {
    this.#targetPath = targetPath;
    this.#context = context;
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
    if (!this.#mayWrite(path, modifiedAt)) {
      this.#skipped += 1;
      return;
    }
    try {
      this.#makeFolders(dirname(path));
      await this.#stage(entry.content, { path, modifiedAt });
    } catch (error) {
      if (error instanceof AppError) throw error;
      throw new AppError('RESTORE_TARGET_INVALID', {
        path,
        reason: error instanceof Error ? error.message : String(error),
      });
    }
  }

  #mayWrite(path: string, modifiedAt: Date): boolean {
    const { overwrite } = this.#context;
    const present = statSync(path, { throwIfNoEntry: false });
    if (!present || overwrite === 'always') return true;
    return overwrite === 'if_newer' && modifiedAt > present.mtime;
  }

  #makeFolders(folder: string): void {
    if (folder.length <= this.#targetPath.length) {
      mkdirSync(this.#targetPath, { recursive: true });
      return;
    }
    this.#makeFolders(dirname(folder));
    const present = lstatSync(folder, { throwIfNoEntry: false });
    if (!present) {
      mkdirSync(folder, { mode: 0o700 });
      this.#folders.push(folder);
    } else if (!present.isDirectory()) {
      throw new AppError('RESTORE_TARGET_INVALID', { path: folder, reason: 'it is no folder' });
    }
  }

  async #stage(content: AsyncIterable<Uint8Array>, file: { path: string; modifiedAt: Date }): Promise<void> {
    const temporary = join(dirname(file.path), `.${basename(file.path)}.${randomBytes(6).toString('hex')}`);
    const handle = openSync(
      temporary,
      constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
      0o600,
    );
    this.#staged.push({ temporary, path: file.path });
    try {
      for await (const chunk of content) {
        for (let at = 0; at < chunk.byteLength; ) at += writeSync(handle, chunk, at);
        this.#bytes += chunk.byteLength;
        this.#context.progress({ bytes: chunk.byteLength });
      }
      futimesSync(handle, file.modifiedAt, file.modifiedAt);
      fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
  }

  async commit(): Promise<RestoreOutcome> {
    for (const { temporary, path } of this.#staged) {
      renameSync(temporary, path);
      syncFolder(dirname(path));
    }
    return { itemsWritten: this.#staged.length, bytesWritten: this.#bytes, itemsSkipped: this.#skipped };
  }

  async rollback(): Promise<void> {
    for (const { temporary } of this.#staged) rmSync(temporary, { force: true });
    for (const folder of this.#folders.reverse()) {
      try {
        rmdirSync(folder);
      } catch {
        // Somebody has put something in it.
      }
    }
  }
}

function syncFolder(folder: string): void {
  const handle = openSync(folder, constants.O_RDONLY);
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
