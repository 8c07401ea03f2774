import { lstat, opendir } from 'node:fs/promises';
import { join } from 'node:path';
import { throwIfCancelled } from '../../ports/pull-body.ts';
import type { StoredObject } from '../../ports/storage.ts';
import { isStorageKey } from '../../ports/storage-key.ts';
import { ignoreCodes } from './disk-error.ts';

/** Names of unfinished writes. */
export const TEMP_PREFIX = '.backupx-tmp-';

/** What `walk` looks through: `folder` is relative to `base` (empty: the base itself). */
interface Walk {
  readonly base: string;
  readonly folder: string;
  readonly prefix: string;
  readonly signal: AbortSignal;
}

/** Yields the objects below a folder whose key starts with the prefix; what vanishes meanwhile is left out. */
export async function* walkObjects(at: Walk): AsyncGenerator<StoredObject> {
  const entries = await ignoreCodes(['ENOENT', 'ENOTDIR'], opendir(join(at.base, at.folder)));
  for await (const entry of entries ?? []) {
    throwIfCancelled(at.signal);
    if (entry.name.startsWith(TEMP_PREFIX)) continue;
    const key = at.folder === '' ? entry.name : `${at.folder}/${entry.name}`;
    if (entry.isDirectory() && mayHold(key, at.prefix)) yield* walkObjects({ ...at, folder: key });
    const object = entry.isFile() && key.startsWith(at.prefix) ? await describe(at.base, key) : null;
    if (object) yield object;
  }
}

async function describe(base: string, key: string): Promise<StoredObject | null> {
  // A name that no key can have (odd bytes, made by another program) is not an object of ours.
  if (!isStorageKey(key)) return null;
  const stats = await ignoreCodes(['ENOENT', 'ENOTDIR'], lstat(join(base, key)));
  return stats ? { key, sizeBytes: stats.size, modifiedAt: stats.mtime } : null;
}

const mayHold = (folder: string, prefix: string): boolean =>
  `${folder}/`.startsWith(prefix) || prefix.startsWith(`${folder}/`);
