import { constants } from 'node:fs';
import { type FileHandle, open, rename, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';

const FLAGS = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW;

/**
 * Writes a file that appears only when it is whole and on the disk, replacing one of that name. `temp`: its name until
 * then; what a killed process left under it is overwritten. When it throws, everything is as it was before.
 */
export async function writeWholeFile(path: string, data: AsyncIterable<Uint8Array>, temp: string): Promise<void> {
  const file = await open(temp, FLAGS, 0o600);
  try {
    await fill(file, data);
    await rename(temp, path);
  } catch (error) {
    await unlink(temp).catch(() => {});
    throw error;
  }
  const folder = await open(dirname(path), 'r');
  await folder.sync().finally(() => folder.close());
}

async function fill(file: FileHandle, data: AsyncIterable<Uint8Array>): Promise<void> {
  try {
    for await (const chunk of data) await file.writeFile(chunk);
    await file.sync();
  } finally {
    await file.close();
  }
}
