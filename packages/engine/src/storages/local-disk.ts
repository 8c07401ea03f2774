/**
 * Storage on a folder of this machine (or a disk mounted there): one file per object below `basePath`.
 *
 * A put writes `.backupx-tmp-…` in the base folder, syncs it, renames it to its place and syncs the folder, so a crash
 * between any two steps leaves either the old object or the whole new one; a temp file left by a crash is hidden from
 * `list` and removed by a later put. Symbolic links below the base are never followed: nothing outside can be reached.
 */
import { constants, type Stats } from 'node:fs';
import { lstat, mkdir, open, opendir, realpath, rmdir, statfs, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { AppError } from '@backupx/contracts/errors';
import { z } from 'zod';
import { systemClock } from '../ports/clock.ts';
import { BodyFailure, throwIfCancelled } from '../ports/pull-body.ts';
import { defineStorage, type GetOptions, type PutOptions, type Storage, type StoredObject } from '../ports/storage.ts';
import { assertStorageKey, assertStoragePrefix } from '../ports/storage-key.ts';
import { codeOf, diskError, ignoreCodes, symlinkError } from './local-disk/disk-error.ts';
import { resolveFolder, syncFolder } from './local-disk/folders.ts';
import { TEMP_PREFIX, walkObjects } from './local-disk/walk-objects.ts';
import {
  assertFreeSpace,
  type Commit,
  commit,
  commitNew,
  newTempName,
  prepareTarget,
  writeSynced,
} from './local-disk/write-object.ts';

const STALE_TEMP_MS = 24 * 3600 * 1000;
/** A storage object looks for stale temp files in a folder at most this often. */
const SWEEP_INTERVAL_MS = 600_000;
/** Folders remembered for that. */
const MAX_SWEPT = 1000;
const READ_CHUNK_BYTES = 512 * 1024;

const configSchema = z.object({
  basePath: z
    .string()
    .regex(/^\/[^\0]*$/, 'must be an absolute path')
    .refine((path) => !path.split('/').includes('..'), 'must not contain ".."')
    .meta({
      label: 'Folder',
      help: 'Absolute path on the machine that writes; created when its parent exists.',
      placeholder: '/mnt/backup',
    }),
  masterRelay: z.boolean().default(false).meta({
    label: 'Remote servers store here through the master',
    help: 'Off: the folder is looked up on each server. On: agents send their backups to the master, which writes them here.',
  }),
});

/** The driver `local_disk`. */
export const localDisk = defineStorage({
  type: 'local_disk',
  title: 'Local disk',
  config: configSchema,
  create: (config) => new LocalDiskStorage(config.basePath),
});

interface Finish {
  /** Puts the temp file in its place. */
  finish(put: Commit): Promise<void>;
}

class LocalDiskStorage implements Storage {
  readonly #basePath: string;
  /** When which folder was swept last, in monotonic milliseconds. */
  readonly #sweptMs = new Map<string, number>();

  constructor(basePath: string) {
    this.#basePath = basePath;
  }

  async put(key: string, body: AsyncIterable<Uint8Array>, options: PutOptions): Promise<void> {
    await this.#write(key, body, { ...options, finish: commit });
  }

  async putIfAbsent(key: string, bytes: Uint8Array, signal: AbortSignal): Promise<boolean | null> {
    let isNew: boolean | null = null;
    const finish = async (put: Commit) => {
      isNew = await commitNew(put);
    };
    async function* body() {
      yield bytes;
    }
    await this.#write(key, body(), { signal, finish });
    return isNew;
  }

  async #write(key: string, body: AsyncIterable<Uint8Array>, options: PutOptions & Finish): Promise<void> {
    assertDiskKey(key);
    throwIfCancelled(options.signal);
    const made: string[] = [];
    let temp: string | null = null;
    try {
      const base = await this.#createBase();
      await this.#sweepStaleTemps(base);
      if (options.sizeBytes !== undefined) await assertFreeSpace(base, options.sizeBytes);
      // Folders first: a place that cannot be written shows before hours of upload, not after.
      await prepareTarget({ base, key, made });
      // A put that was killed while it tried out the object's folder has left something there.
      await this.#sweepStaleTemps(dirname(join(base, key)));
      temp = join(base, newTempName());
      await writeSynced(temp, body, options.signal);
      await options.finish({ base, temp, key, made });
    } catch (error) {
      if (temp !== null) await unlink(temp).catch(() => {});
      for (const path of made.toReversed()) await rmdir(path).catch(() => {});
      throw error instanceof BodyFailure ? error.cause : diskError(error, key);
    }
  }

  async *get(key: string, { signal, range, isUsedAtOnce = false }: GetOptions): AsyncGenerator<Uint8Array> {
    assertDiskKey(key);
    throwIfCancelled(signal);
    const file = await this.#openObject(key);
    try {
      const size = (await file.stat()).size;
      const end = Math.min(range?.end ?? size, size);
      let memory: Buffer | null = null;
      for (let at = range?.start ?? 0; at < end; ) {
        throwIfCancelled(signal);
        const length = Math.min(READ_CHUNK_BYTES, end - at);
        const chunk: Buffer = memory ?? Buffer.allocUnsafeSlow(length);
        if (isUsedAtOnce) memory = chunk;
        const { bytesRead } = await file.read(chunk, 0, length, at);
        if (bytesRead === 0) throw new AppError('STORAGE_FAILED', { reason: `${key} shrank while it was read` });
        at += bytesRead;
        yield chunk.subarray(0, bytesRead);
      }
    } catch (error) {
      throw diskError(error, key);
    } finally {
      await file.close().catch(() => {});
    }
  }

  async readInto(
    key: string,
    target: Uint8Array,
    { signal, start }: { readonly signal: AbortSignal; readonly start: number },
  ): Promise<number> {
    assertDiskKey(key);
    throwIfCancelled(signal);
    const file = await this.#openObject(key);
    try {
      let done = 0;
      while (done < target.byteLength) {
        throwIfCancelled(signal);
        const { bytesRead } = await file.read(target, done, target.byteLength - done, start + done);
        if (bytesRead === 0) break;
        done += bytesRead;
      }
      return done;
    } catch (error) {
      throw diskError(error, key);
    } finally {
      await file.close().catch(() => {});
    }
  }

  async stat(key: string, signal: AbortSignal): Promise<StoredObject> {
    assertDiskKey(key);
    throwIfCancelled(signal);
    const found = await this.#find(key);
    if (!found) throw new AppError('STORAGE_NOT_FOUND', { key });
    return { key, sizeBytes: found.stats.size, modifiedAt: found.stats.mtime };
  }

  async *list(prefix: string, signal: AbortSignal): AsyncGenerator<StoredObject> {
    assertStoragePrefix(prefix);
    throwIfCancelled(signal);
    try {
      const base = await this.#existingBase();
      if (base === null) return;
      const folder = prefix.includes('/') ? prefix.slice(0, prefix.lastIndexOf('/')) : '';
      if (folder !== '' && !(await resolveFolder(base, folder))) return;
      yield* walkObjects({ base, folder, prefix, signal });
    } catch (error) {
      throw diskError(error, prefix);
    }
  }

  async delete(key: string, signal: AbortSignal): Promise<void> {
    assertDiskKey(key);
    throwIfCancelled(signal);
    try {
      const found = await this.#find(key);
      if (!found) return;
      await ignoreCodes(['ENOENT'], unlink(found.path));
      await removeEmptyParents(found.base, key);
    } catch (error) {
      throw diskError(error, key);
    }
  }

  async usage(signal: AbortSignal) {
    throwIfCancelled(signal);
    try {
      const info = await statfs((await this.#existingBase()) ?? dirname(this.#basePath));
      return {
        usedBytes: (info.blocks - info.bfree) * info.bsize,
        freeBytes: info.bavail * info.bsize,
        totalBytes: info.blocks * info.bsize,
      };
    } catch (error) {
      throw diskError(error, '');
    }
  }

  async close(): Promise<void> {}

  /** Real path of the base, or null when only its parent exists. A missing parent means a disk that is not mounted. */
  async #existingBase(): Promise<string | null> {
    const base = await ignoreCodes(['ENOENT'], realpath(this.#basePath));
    if (base !== undefined) {
      if ((await lstat(base)).isDirectory()) return base;
      throw new AppError('STORAGE_CONFIG', { reason: `${this.#basePath} is not a folder` });
    }
    const parent = dirname(this.#basePath);
    if ((await ignoreCodes(['ENOENT', 'ENOTDIR'], lstat(parent))) === undefined) {
      throw new AppError('STORAGE_CONFIG', { reason: `${parent} does not exist; is the disk mounted?` });
    }
    return null;
  }

  async #createBase(): Promise<string> {
    const base = await this.#existingBase();
    if (base !== null) return base;
    await ignoreCodes(['EEXIST'], mkdir(this.#basePath, { mode: 0o700 }));
    await syncFolder(dirname(this.#basePath));
    return realpath(this.#basePath);
  }

  async #find(key: string): Promise<{ base: string; path: string; stats: Stats } | null> {
    try {
      const base = await this.#existingBase();
      if (base === null) return null;
      const folder = await resolveFolder(base, dirname(key));
      if (folder === null) return null;
      const path = join(base, key);
      const stats = await ignoreCodes(['ENOENT', 'ENOTDIR'], lstat(path));
      if (stats?.isSymbolicLink()) throw symlinkError(key);
      return stats?.isFile() ? { base, path, stats } : null;
    } catch (error) {
      throw diskError(error, key);
    }
  }

  async #openObject(key: string) {
    const found = await this.#find(key);
    if (!found) throw new AppError('STORAGE_NOT_FOUND', { key });
    return open(found.path, constants.O_RDONLY | constants.O_NOFOLLOW).catch((error) => {
      throw codeOf(error) === 'ENOENT' ? new AppError('STORAGE_NOT_FOUND', { key }) : diskError(error, key);
    });
  }

  async #sweepStaleTemps(folder: string): Promise<void> {
    const nowMs = systemClock.monotonicMs();
    if (nowMs - (this.#sweptMs.get(folder) ?? Number.NEGATIVE_INFINITY) < SWEEP_INTERVAL_MS) return;
    if (this.#sweptMs.size >= MAX_SWEPT) this.#sweptMs.clear();
    this.#sweptMs.set(folder, nowMs);
    const oldest = systemClock.now().getTime() - STALE_TEMP_MS;
    for await (const entry of (await ignoreCodes(['ENOENT'], opendir(folder))) ?? []) {
      if (!entry.isFile() || !entry.name.startsWith(TEMP_PREFIX)) continue;
      const path = join(folder, entry.name);
      const stats = await lstat(path).catch(() => null);
      if (stats && stats.mtimeMs < oldest) await unlink(path).catch(() => {});
    }
  }
}

/** Names that only this driver's temp files may have would be invisible in `list`; so they are no keys. */
function assertDiskKey(key: string): void {
  assertStorageKey(key);
  if (key.split('/').some((segment) => segment.startsWith(TEMP_PREFIX))) {
    throw new AppError('STORAGE_INVALID_KEY', { key: JSON.stringify(key) });
  }
}

/** Removes the folders of a deleted key that are empty now; the first that is not (or may not go) ends the climb. */
async function removeEmptyParents(base: string, key: string): Promise<void> {
  for (let folder = dirname(key); folder !== '.'; folder = dirname(folder)) {
    const isGone = await rmdir(join(base, folder)).then(
      () => true,
      () => false,
    );
    if (!isGone) return;
  }
}
