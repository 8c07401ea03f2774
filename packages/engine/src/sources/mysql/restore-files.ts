/** A restore into a folder: dumps as files, for people who go on with programs of their own. */
import {
  closeSync,
  existsSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { AppError } from '@backupx/contracts/errors';
import type { RestoreContext, RestoreEntry, RestoreOutcome, RestoreSession } from '../../ports/source.ts';
import { isWanted } from './wanted-paths.ts';

interface StagedFile {
  readonly temporary: string;
  readonly path: string;
  readonly bytes: number;
}

const MARK = '.backupx-restore';

/** Opens it. Throws RESTORE_TARGET_INVALID when the folder cannot be made. */
export function openFileRestore(folder: string, context: RestoreContext): RestoreSession {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new AppError('RESTORE_TARGET_INVALID', { path: folder, reason: String(error) }, { cause: error });
  }
  return new FileRestore(folder, context);
}

class FileRestore implements RestoreSession {
  readonly #folder: string;
  readonly #context: RestoreContext;
  readonly #staged: StagedFile[] = [];
  readonly #madeFolders: string[] = [];
  #skipped = 0;

  constructor(folder: string, context: RestoreContext) {
    this.#folder = folder;
    this.#context = context;
  }

  async write(entry: RestoreEntry): Promise<void> {
    if (!entry.content) return;
    const whole = Buffer.from(entry.path).toString('utf8');
    if (!isWanted(whole, this.#context.paths)) return;
    const parts = whole.split('/').filter((part) => part !== '');
    if (parts.some((part) => part === '.' || part === '..' || part.includes('\0'))) {
      throw new AppError('ARTIFACT_DAMAGED', { reason: 'a path in it leads out of its folder' });
    }
    const path = join(this.#folder, ...parts);
    if (!this.#mayWrite(path, entry)) {
      this.#skipped += 1;
      return;
    }
    this.#makeFolder(dirname(path));
    await this.#writeFile(path, entry.content);
    this.#context.progress({ items: 1, currentItem: path });
  }

  async commit(): Promise<RestoreOutcome> {
    let bytesWritten = 0;
    for (const { temporary, path, bytes } of this.#staged) {
      renameSync(temporary, path);
      bytesWritten += bytes;
    }
    for (const folder of new Set(this.#staged.map(({ path }) => dirname(path)))) syncFolder(folder);
    return { itemsWritten: this.#staged.length, bytesWritten, itemsSkipped: this.#skipped };
  }

  async rollback(): Promise<void> {
    for (const { temporary } of this.#staged) rmSync(temporary, { force: true });
    for (const folder of this.#madeFolders.reverse()) {
      try {
        rmdirSync(folder);
      } catch {
        // Somebody put something into it.
      }
    }
  }

  #mayWrite(path: string, entry: RestoreEntry): boolean {
    const there = lstatSync(path, { throwIfNoEntry: false });
    if (!there || this.#context.overwrite === 'always') return true;
    return (
      this.#context.overwrite === 'if_newer' && BigInt(Math.trunc(there.mtimeMs)) * 1_000_000n < entry.modifiedAtNs
    );
  }

  #makeFolder(folder: string): void {
    const missing: string[] = [];
    for (let at = folder; !existsSync(at); at = dirname(at)) missing.push(at);
    if (missing.length > 0) mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.#madeFolders.push(...missing.reverse());
    if (!statSync(folder).isDirectory()) {
      throw new AppError('RESTORE_TARGET_INVALID', { path: folder, reason: 'it is no folder' });
    }
  }

  async #writeFile(path: string, content: AsyncIterable<Uint8Array>): Promise<void> {
    const temporary = `${path}${MARK}`;
    rmSync(temporary, { force: true });
    const file = openSync(temporary, 'wx', 0o600);
    let bytes = 0;
    try {
      for await (const chunk of content) {
        for (let at = 0; at < chunk.byteLength; ) at += writeSync(file, chunk, at);
        bytes += chunk.byteLength;
        this.#context.progress({ bytes: chunk.byteLength });
      }
      fsyncSync(file);
      this.#staged.push({ temporary, path, bytes });
    } catch (error) {
      rmSync(temporary, { force: true });
      throw error;
    } finally {
      closeSync(file);
    }
  }
}

function syncFolder(folder: string): void {
  const handle = openSync(folder, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
