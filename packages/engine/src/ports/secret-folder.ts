/**
 * Files with secrets for programs of others: mode 0600 in a folder of mode 0700 of their own, gone when the work is
 * done. What a killed process left is removed by the next one, what a thread left that was ended, by whoever started it.
 */
import { chownSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { threadId } from 'node:worker_threads';
import { endProgramsIn } from './end-programs.ts';
import { isMarkAlive, processMark } from './process-mark.ts';
import { tempFolderError } from './temp-folder-error.ts';

const PREFIX = 'secrets-';

/** See above. Synchronous: a few small files. */
export class SecretFolder {
  readonly path: string;
  readonly #owner: { readonly uid: number; readonly gid: number } | null;

  /**
   * `owner`: who must be able to read them, when that is not us. Throws STORAGE_FULL, and what else the file system says;
   * `write` and `folder` do, too.
   */
  constructor(tempDir: string, owner: { readonly uid: number; readonly gid: number } | null = null) {
    this.path = attempt(() => {
      mkdirSync(tempDir, { recursive: true });
      removeLeftovers(tempDir);
      return mkdtempSync(join(tempDir, prefixOf(threadId)));
    });
    this.#owner = owner;
    this.own(this.path);
  }

  /** Writes a file and answers its path. */
  write(name: string, text: string): string {
    const path = join(this.path, name);
    attempt(() => writeFileSync(path, text, { mode: 0o600, flag: 'wx' }));
    this.own(path);
    return path;
  }

  /** Makes a folder for what cannot be streamed, and answers its path. */
  folder(name: string): string {
    const path = join(this.path, name);
    attempt(() => mkdirSync(path, { mode: 0o700 }));
    this.own(path);
    return path;
  }

  /** Gives what was put in here to whoever must be able to read it. */
  own(path: string): void {
    if (this.#owner) chownSync(path, this.#owner.uid, this.#owner.gid);
  }

  /** Removes something in here before the rest. Idempotent. */
  discard(path: string): void {
    rmSync(path, { recursive: true, force: true });
  }

  /** Idempotent. */
  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

function attempt<T>(step: () => T): T {
  try {
    return step();
  } catch (error) {
    throw tempFolderError(error);
  }
}

const prefixOf = (thread: number): string => `${PREFIX}${processMark}.t${thread}-`;

/** What is killed may still put a last file into a folder that is being removed. */
const PATIENT = { recursive: true, force: true, maxRetries: 5, retryDelay: 20 } as const;

/**
 * Removes what a thread of this process left, which was ended in the middle of its work; what its programs have split off,
 * and does not go with them, is ended before. Ids of threads are used once.
 */
export function removeSecretsOf(tempDir: string, thread: number): void {
  try {
    for (const name of readdirSync(tempDir)) {
      if (!name.startsWith(prefixOf(thread))) continue;
      endProgramsIn(join(tempDir, name));
      rmSync(join(tempDir, name), PATIENT);
    }
  } catch {
    // The folder has gone, or is out of reach; then the next process removes what is there.
  }
}

/** Only what is named exactly as ours: the folder may be that of the whole machine, where others keep things, too. */
const LEFTOVER = /^secrets-(\d+\.\d+)(?:\.t\d+)?-[A-Za-z0-9]{6}$/;

function removeLeftovers(tempDir: string): void {
  for (const name of readdirSync(tempDir)) {
    const mark = LEFTOVER.exec(name)?.[1];
    if (mark === undefined || isMarkAlive(mark)) continue;
    endProgramsIn(join(tempDir, name));
    try {
      rmSync(join(tempDir, name), PATIENT);
    } catch {
      // That of another user, which is his to remove.
    }
  }
}
