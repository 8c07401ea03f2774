import { closeSync, fsyncSync, openSync } from 'node:fs';

/** Waits until what is in a file, or which names are in a folder, is on the disk. Throws what the file system says. */
export function syncPath(path: string): void {
  const handle = openSync(path, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
