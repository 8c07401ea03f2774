/** Files of backups back into a folder, each database with a guide; put in place when all of them are whole. */
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
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { AppError } from '@backupx/contracts/errors';
import { formatInventory } from '../../ports/database-inventory.ts';
import type { RestoreContext, RestoreEntry, RestoreOutcome, RestoreSession } from '../../ports/source.ts';
import { INVENTORY, placeOf, ROOT } from './entry-paths.ts';
import { missingFiles, readInventory } from './read-inventory.ts';
import { recoveryGuide } from './recovery-guide.ts';

const NS_PER_MS = 1_000_000n;
const GUIDE = 'RECOVERY.txt';

interface Staged {
  readonly temporary: string;
  readonly path: string;
}

/** See above. Follows no links below the folder. */
export class FileRestore implements RestoreSession {
  readonly #target: string;
  readonly #context: RestoreContext;
  readonly #staged: Staged[] = [];
  readonly #folders: string[] = [];
  /** Sizes of the files of each folder, until its inventory comes by. */
  readonly #sizes = new Map<string, Map<string, number>>();
  #skipped = 0;
  #bytes = 0;

  constructor(target: string, context: RestoreContext) {
    this.#target = target;
    this.#context = context;
  }

  async write(entry: RestoreEntry): Promise<void> {
    const place = placeOf(entry.path);
    if (!place || !entry.content || !this.#isWanted(place)) return;
    const folder = join(this.#target, place.folder);
    const modifiedAt = new Date(Number(entry.modifiedAtNs / NS_PER_MS));
    if (place.file !== INVENTORY) {
      const size = await this.#writeFile(join(folder, place.file), entry.content, modifiedAt);
      const sizes = this.#sizes.get(place.folder) ?? new Map<string, number>();
      this.#sizes.set(place.folder, sizes.set(place.file, size));
      return;
    }
    const inventory = await readInventory(entry.content);
    const missing =
      this.#context.paths === null ? missingFiles(inventory, this.#sizes.get(place.folder) ?? new Map()) : [];
    if (missing.length > 0) {
      throw new AppError('DATABASE_DUMP_DAMAGED', { name: inventory.database, reason: missing.join('; ') });
    }
    await this.#writeFile(join(folder, INVENTORY), one(formatInventory(inventory)), modifiedAt);
    await this.#writeFile(join(folder, GUIDE), one(recoveryGuide(inventory, folder)), modifiedAt);
  }

  #isWanted({ folder, file }: { folder: string; file: string }): boolean {
    const { paths } = this.#context;
    const text = `${ROOT}/${folder}/${file}`;
    return paths === null || paths.some((path) => text === path || text.startsWith(`${path.replace(/\/+$/, '')}/`));
  }

  /** Answers the size of what came, also when it is not written. */
  async #writeFile(path: string, content: AsyncIterable<Uint8Array>, modifiedAt: Date): Promise<number> {
    const { isDryRun, log, progress } = this.#context;
    progress({ items: 1, currentItem: path });
    const mayWrite = this.#mayWrite(path, modifiedAt);
    if (isDryRun) log('info', `Would ${mayWrite ? 'write' : 'leave'} ${path}.`);
    else if (!mayWrite) this.#skipped += 1;
    const handle = isDryRun || !mayWrite ? null : this.#open(path);
    let size = 0;
    try {
      for await (const chunk of content) {
        if (handle !== null) writeAll(handle, chunk);
        size += chunk.byteLength;
        progress({ bytes: chunk.byteLength });
      }
      if (handle === null) return size;
      futimesSync(handle, modifiedAt, modifiedAt);
      fsyncSync(handle);
    } catch (error) {
      throw error instanceof AppError ? error : invalidTarget(path, error);
    } finally {
      if (handle !== null) closeSync(handle);
    }
    this.#bytes += size;
    return size;
  }

  #mayWrite(path: string, modifiedAt: Date): boolean {
    const { overwrite } = this.#context;
    const present = lstatSync(path, { throwIfNoEntry: false });
    return !present || overwrite === 'always' || (overwrite === 'if_newer' && modifiedAt > present.mtime);
  }

  #open(path: string): number {
    try {
      this.#makeFolders(dirname(path));
      const temporary = join(dirname(path), `.backupx-${randomBytes(6).toString('hex')}`);
      const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
      const handle = openSync(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
      this.#staged.push({ temporary, path });
      return handle;
    } catch (error) {
      throw error instanceof AppError ? error : invalidTarget(path, error);
    }
  }

  #makeFolders(folder: string): void {
    mkdirSync(this.#target, { recursive: true });
    const present = lstatSync(folder, { throwIfNoEntry: false });
    if (!present) {
      mkdirSync(folder, { mode: 0o700 });
      this.#folders.push(folder);
    } else if (!present.isDirectory()) throw invalidTarget(folder, new Error('it is no folder'));
  }

  async commit(): Promise<RestoreOutcome> {
    for (const { temporary, path } of this.#staged) renameSync(temporary, path);
    for (const folder of new Set(this.#staged.map(({ path }) => dirname(path)))) syncFolder(folder);
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

function writeAll(handle: number, chunk: Uint8Array): void {
  for (let at = 0; at < chunk.byteLength; ) at += writeSync(handle, chunk, at);
}

async function* one(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text, 'utf8');
}

function invalidTarget(path: string, error: unknown): AppError {
  return new AppError('RESTORE_TARGET_INVALID', { path, reason: (error as Error).message }, { cause: error });
}

function syncFolder(folder: string): void {
  const handle = openSync(folder, constants.O_RDONLY);
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
