import { mkdirSync, statSync } from 'node:fs';
import { type BytePath, parentPath, toBytes } from './byte-paths.ts';
import { errnoOf } from './errno.ts';

/**
 * Makes a folder and what is missing above it; answers whether anything was made. Throws the system's error. An
 * existing item that is no folder is left for the caller to find.
 *
 * The runtime's own recursive mkdir never ends in places such as /proc, where a folder exists and making another in it
 * still answers ENOENT: it tries the parent again for ever.
 */
export function makeFolders(folder: BytePath): boolean {
  const missing: BytePath[] = [];
  for (let at = folder; !isThere(at); at = parentPath(at)) missing.push(at);
  for (const at of missing.reverse()) {
    try {
      mkdirSync(toBytes(at));
    } catch (error) {
      // Somebody else was faster.
      if (errnoOf(error) !== 'EEXIST') throw error;
    }
  }
  return missing.length > 0;
}

function isThere(path: BytePath): boolean {
  if (path === '/') return true;
  return statSync(toBytes(path), { throwIfNoEntry: false }) !== undefined;
}
