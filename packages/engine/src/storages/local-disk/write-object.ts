/** The steps of a put: enough space, a synced temp file, the rename to its place. */
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { link, lstat, open, rename, statfs, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { AppError } from '@backupx/contracts/errors';
import { pullBody, throwIfCancelled } from '../../ports/pull-body.ts';
import { codeOf, ignoreCodes } from './disk-error.ts';
import { makeFolders, syncFolder } from './folders.ts';
import { TEMP_PREFIX } from './walk-objects.ts';

const WRITE_BUFFER_BYTES = 1024 * 1024;
const COMMIT_ATTEMPTS = 5;
/** So much at most waits for the disk: the last sync must not take longer than a limit for calls that stand still. */
const UNSYNCED_BYTES = 1024 ** 3;
/** What file systems without hard links answer. */
const NO_LINKS: ReadonlySet<string> = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK']);

/** A fresh name for an unfinished write. */
export const newTempName = (): string => TEMP_PREFIX + randomBytes(12).toString('hex');

/** Makes the folders of an object; throws early when its place cannot be written or is a folder. */
export async function prepareTarget(put: { base: string; key: string; made: string[] }): Promise<void> {
  await whileFoldersVanish(async () => {
    const folder = await makeFolders(put.base, dirname(put.key), put.made);
    await assertWritableTarget(folder, join(put.base, put.key), put.key);
  });
}

async function assertWritableTarget(folder: string, path: string, key: string): Promise<void> {
  // Tried rather than asked: permission bits tell little about network file systems and read-only mounts.
  const probe = join(folder, newTempName());
  await (await open(probe, 'wx', 0o600)).close();
  await unlink(probe);
  const stats = await ignoreCodes(['ENOENT'], lstat(path));
  if (stats?.isDirectory()) throw new AppError('STORAGE_INVALID_KEY', { key: JSON.stringify(key) });
}

/** Throws `STORAGE_FULL` when fewer than `sizeBytes` bytes are free for an ordinary user. */
export async function assertFreeSpace(base: string, sizeBytes: number): Promise<void> {
  const info = await statfs(base);
  const freeBytes = info.bavail * info.bsize;
  if (freeBytes < sizeBytes) {
    throw new AppError('STORAGE_FULL', { reason: `${sizeBytes} bytes needed, ${freeBytes} free in ${base}` });
  }
}

/** Writes the body to a new file and makes it durable. Chunks are copied together, so tiny ones cost little. */
export async function writeSynced(path: string, body: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<void> {
  const file = await open(
    path,
    constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
    0o600,
  );
  try {
    const buffer = Buffer.allocUnsafeSlow(WRITE_BUFFER_BYTES);
    let [filled, unsynced] = [0, 0];
    const write = async (bytes: Uint8Array) => {
      for (let at = 0; at < bytes.byteLength; ) at += (await file.write(bytes, at, bytes.byteLength - at)).bytesWritten;
      unsynced += bytes.byteLength;
      if (unsynced < UNSYNCED_BYTES) return;
      await file.datasync();
      unsynced = 0;
    };
    for await (const chunk of pullBody(body, signal)) {
      if (filled + chunk.byteLength > buffer.length) {
        await write(buffer.subarray(0, filled));
        filled = 0;
      }
      if (chunk.byteLength >= buffer.length) {
        await write(chunk);
      } else {
        buffer.set(chunk, filled);
        filled += chunk.byteLength;
      }
    }
    await write(buffer.subarray(0, filled));
    await file.sync();
    throwIfCancelled(signal);
  } finally {
    await file.close();
  }
}

/** A finished file, and where it is to go. `made` gets the folders that had to be made for it. */
export interface Commit {
  readonly base: string;
  readonly temp: string;
  readonly key: string;
  readonly made: string[];
}

/** Puts the finished file in its place. */
export async function commit(put: Commit): Promise<void> {
  await whileFoldersVanish(async () => {
    const folder = await makeFolders(put.base, dirname(put.key), put.made);
    await rename(put.temp, join(put.base, put.key));
    await syncFolder(folder);
  });
}

/** The same unless a file is there: then false. Null: this file system has no hard links. Removes the temp file. */
export async function commitNew(put: Commit): Promise<boolean | null> {
  let isNew: boolean | null = true;
  await whileFoldersVanish(async () => {
    const folder = await makeFolders(put.base, dirname(put.key), put.made);
    try {
      await link(put.temp, join(put.base, put.key));
      isNew = true;
    } catch (error) {
      if (codeOf(error) === 'EEXIST') isNew = false;
      else if (NO_LINKS.has(codeOf(error))) isNew = null;
      else throw error;
    }
    await syncFolder(folder);
  });
  await unlink(put.temp);
  return isNew;
}

/** A delete beside us may remove a folder that is empty for now: then once more. */
async function whileFoldersVanish(step: () => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await step();
    } catch (error) {
      if (codeOf(error) !== 'ENOENT' || attempt === COMMIT_ATTEMPTS) throw error;
    }
  }
}
