/** Folders below the base: found without following symbolic links, created so that they survive a power cut. */
import { constants } from 'node:fs';
import { lstat, mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf, ignoreCodes, symlinkError } from './disk-error.ts';

/** Absolute path of a folder below the base, or null when it is not there; refuses symbolic links on the way. */
export async function resolveFolder(base: string, folder: string): Promise<string | null> {
  let path = base;
  for (const segment of folder === '.' ? [] : folder.split('/')) {
    path = join(path, segment);
    const stats = await ignoreCodes(['ENOENT', 'ENOTDIR'], lstat(path));
    if (stats?.isSymbolicLink()) throw symlinkError(path);
    if (!stats?.isDirectory()) return null;
  }
  return path;
}

/** Creates the folders of a key, each durable before the next; notes the new ones in `made`. */
export async function makeFolders(base: string, folder: string, made: string[]): Promise<string> {
  let path = base;
  for (const segment of folder === '.' ? [] : folder.split('/')) {
    const parent = path;
    path = join(path, segment);
    try {
      await mkdir(path, { mode: 0o700 });
      made.push(path);
      await syncFolder(parent);
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error;
      const stats = await lstat(path);
      if (stats.isSymbolicLink()) throw symlinkError(path);
      if (!stats.isDirectory()) throw Object.assign(new Error(`${path} is a file`), { code: 'ENOTDIR' });
    }
  }
  return path;
}

/** Makes the entries of a folder durable. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    // Some network file systems cannot sync a folder; the rename is then as durable as they make it.
    await ignoreCodes(['EINVAL', 'ENOTSUP', 'EBADF'], folder.sync());
  } finally {
    await folder.close();
  }
}
