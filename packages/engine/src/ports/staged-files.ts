/**
 * Files that a restore writes below a folder: beside their place first, put there when all of them are whole. Links
 * below the folder are not followed, so a file never comes to lie outside of it. What a killed restore left is removed by
 * the next one that writes into the same folder.
 */
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  futimesSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmdirSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { AppError } from '@backupx/contracts/errors';
import type { OverwriteMode } from '@backupx/contracts/jobs';
import { isMarkAlive, threadMark } from './process-mark.ts';
import { syncPath } from './sync-path.ts';

interface Staged {
  readonly temporary: string;
  readonly path: string;
}

/** With the mark of the thread that made it. */
const TEMPORARY = /^\.backupx-restore-(\d+\.\d+)-[0-9a-f]+$/;
const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;

/** See above. Synchronous file calls: for threads that work. */
export class StagedFiles {
  readonly #root: string;
  readonly #staged: Staged[] = [];
  readonly #folders: string[] = [];
  readonly #clearedUp = new Set<string>();

  /** `root`: absolute; made when the first file is written. */
  constructor(root: string) {
    this.#root = root;
  }

  get count(): number {
    return this.#staged.length;
  }

  /** False when the overwrite mode leaves what is there. Throws RESTORE_TARGET_INVALID for a folder that is to be replaced. */
  mayWrite(path: string, modifiedAt: Date, overwrite: OverwriteMode): boolean {
    const present = lstatSync(path, { throwIfNoEntry: false });
    if (!present) return true;
    const isReplaced = overwrite === 'always' || (overwrite === 'if_newer' && modifiedAt > present.mtime);
    if (isReplaced && present.isDirectory()) throw invalidTarget(path, new Error('a folder is in the way'));
    return isReplaced;
  }

  /** Writes a file for `path`, which is below the root. Throws RESTORE_TARGET_INVALID, and what the content throws. */
  async write(
    path: string,
    content: AsyncIterable<Uint8Array>,
    { modifiedAt, onBytes }: { readonly modifiedAt: Date; onBytes?(count: number): void },
  ): Promise<number> {
    const attempt = <T>(step: () => T): T => attemptAt(path, step);
    const handle = attempt(() => this.#open(path));
    let size = 0;
    try {
      for await (const chunk of content) {
        attempt(() => {
          for (let at = 0; at < chunk.byteLength; ) at += writeSync(handle, chunk, at);
        });
        size += chunk.byteLength;
        onBytes?.(chunk.byteLength);
      }
      attempt(() => futimesSync(handle, modifiedAt, modifiedAt));
    } finally {
      closeSync(handle);
    }
    return size;
  }

  /** Makes a folder below the root, which may stay empty. Throws RESTORE_TARGET_INVALID. */
  makeFolder(path: string): void {
    attemptAt(path, () => this.#makeFolders(path));
  }

  /**
   * Puts all of them in their places. Only now they are synced: a file system that is asked for each as it comes writes
   * its journal as often. Throws RESTORE_TARGET_INVALID.
   */
  commit(): void {
    for (const { temporary, path } of this.#staged) attemptAt(path, () => syncPath(temporary));
    for (const { temporary, path } of this.#staged) attemptAt(path, () => renameSync(temporary, path));
    for (const folder of new Set(this.#staged.map(({ path }) => dirname(path))))
      attemptAt(folder, () => syncPath(folder));
  }

  /** Removes what was written and the folders made for it. */
  rollback(): void {
    for (const { temporary } of this.#staged) rmSync(temporary, { force: true });
    for (const folder of this.#folders.reverse()) {
      try {
        rmdirSync(folder);
      } catch {
        // Somebody has put something in it.
      }
    }
  }

  #open(path: string): number {
    this.#makeFolders(dirname(path));
    this.#clearUp(dirname(path));
    const temporary = join(dirname(path), `.backupx-restore-${threadMark}-${randomBytes(6).toString('hex')}`);
    const handle = openSync(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
    this.#staged.push({ temporary, path });
    return handle;
  }

  #clearUp(folder: string): void {
    if (this.#clearedUp.has(folder)) return;
    this.#clearedUp.add(folder);
    for (const name of readdirSync(folder)) {
      const mark = TEMPORARY.exec(name)?.[1];
      if (mark !== undefined && !isMarkAlive(mark)) rmSync(join(folder, name), { force: true });
    }
  }

  #makeFolders(folder: string): void {
    if (folder.length <= this.#root.length) {
      const first = mkdirSync(this.#root, { recursive: true, mode: 0o700 });
      if (first !== undefined) this.#folders.push(...foldersBetween(first, this.#root));
      return;
    }
    this.#makeFolders(dirname(folder));
    const present = lstatSync(folder, { throwIfNoEntry: false });
    if (!present) {
      mkdirSync(folder, { mode: 0o700 });
      this.#folders.push(folder);
    } else if (!present.isDirectory()) throw invalidTarget(folder, new Error('it is no folder'));
  }
}

/** From the upper to the lower, both among them. */
function foldersBetween(upper: string, lower: string): string[] {
  return lower.length <= upper.length ? [upper] : [...foldersBetween(upper, dirname(lower)), lower];
}

/** Throws what the file system says as RESTORE_TARGET_INVALID. */
function attemptAt<T>(path: string, step: () => T): T {
  try {
    return step();
  } catch (error) {
    throw error instanceof AppError ? error : invalidTarget(path, error);
  }
}

function invalidTarget(path: string, error: unknown): AppError {
  const reason = error instanceof Error ? error.message : String(error);
  return new AppError('RESTORE_TARGET_INVALID', { path, reason }, { cause: error });
}
