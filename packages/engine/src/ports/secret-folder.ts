/**
 * Files with secrets for programs of others: mode 0600 in a folder of mode 0700 of their own, gone when the work is
 * done. What a killed process left is removed by the next one, what a thread left that was ended, by whoever started it.
 */
import { chownSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { threadId } from 'node:worker_threads';
import { isMarkAlive, processMark } from './process-mark.ts';

const PREFIX = 'secrets-';

/** See above. Synchronous: a few small files. */
export class SecretFolder {
  readonly path: string;
  readonly #owner: { readonly uid: number; readonly gid: number } | null;

  /** `owner`: who must be able to read them, when that is not us. Throws what the file system says. */
  constructor(tempDir: string, owner: { readonly uid: number; readonly gid: number } | null = null) {
    mkdirSync(tempDir, { recursive: true });
    removeLeftovers(tempDir);
    this.path = mkdtempSync(join(tempDir, prefixOf(threadId)));
    this.#owner = owner;
    if (owner) chownSync(this.path, owner.uid, owner.gid);
  }

  /** Writes a file and answers its path. */
  write(name: string, text: string): string {
    const path = join(this.path, name);
    writeFileSync(path, text, { mode: 0o600, flag: 'wx' });
    if (this.#owner) chownSync(path, this.#owner.uid, this.#owner.gid);
    return path;
  }

  /** Idempotent. */
  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

const prefixOf = (thread: number): string => `${PREFIX}${processMark}.t${thread}-`;

/** Removes what a thread of this process left, which was ended in the middle of its work. Ids of threads are used once. */
export function removeSecretsOf(tempDir: string, thread: number): void {
  try {
    for (const name of readdirSync(tempDir)) {
      if (name.startsWith(prefixOf(thread))) rmSync(join(tempDir, name), { recursive: true, force: true });
    }
  } catch {
    // The folder has gone, or is out of reach; then the next process removes what is there.
  }
}

function removeLeftovers(tempDir: string): void {
  for (const name of readdirSync(tempDir)) {
    const mark = name.startsWith(PREFIX) ? name.slice(PREFIX.length).replace(/(?:\.t\d+)?-[^-]*$/, '') : null;
    if (mark !== null && !isMarkAlive(mark)) rmSync(join(tempDir, name), { recursive: true, force: true });
  }
}
