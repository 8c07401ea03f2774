/** Files of a data folder that is on its way. */
import { closeSync, fsyncSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { AppError } from '@backupx/contracts/errors';

/** Names of what restores make in a data folder, see `staged-data.ts`: what it is, and whose. */
export const OWN = /^\.backupx-(new|old|swap|gone|kept)-(?:([\d.]+)-)?/;

/** Writes a file below a folder. Throws RESTORE_TARGET_INVALID, and what the content throws. */
export async function writeBelow(root: string, path: string, content: AsyncIterable<Uint8Array>): Promise<number> {
  const parts = path.split('/');
  const leadsOut = parts.some((part) => part === '' || part === '.' || part === '..' || part.includes('\0'));
  // A folder with such a name would be taken for the remains of a restore.
  if (leadsOut || OWN.test(path)) {
    throw new AppError('ARTIFACT_DAMAGED', { reason: 'a path in it leads out of its folder' });
  }
  const file = join(root, ...parts);
  attempt(root, () => mkdirSync(dirname(file), { recursive: true, mode: 0o700 }));
  const handle = attempt(root, () => openSync(file, 'wx', 0o660));
  let size = 0;
  try {
    for await (const chunk of content) {
      attempt(root, () => {
        for (let at = 0; at < chunk.byteLength; ) at += writeSync(handle, chunk, at);
      });
      size += chunk.byteLength;
    }
    attempt(root, () => fsyncSync(handle));
  } finally {
    closeSync(handle);
  }
  return size;
}

/** What the file system says of a place, for people. */
export function attempt<T>(path: string, step: () => T): T {
  try {
    return step();
  } catch (error) {
    if (error instanceof AppError) throw error;
    throw invalid(path, error instanceof Error ? error.message : String(error), error);
  }
}

export const invalid = (path: string, reason: string, cause?: unknown): AppError =>
  new AppError('RESTORE_TARGET_INVALID', { path, reason }, { cause });
