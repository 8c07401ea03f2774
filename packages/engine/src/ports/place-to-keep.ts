import { accessSync, constants, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { systemClock } from './clock.ts';

/**
 * Where what a restore replaces is kept: beside the data folder, which costs no copying. Null where that cannot be: the
 * folder is a file system of its own, or what is beside it may not be written. `folder`: a real path that is there.
 */
export function placeToKeep(folder: string): string | null {
  const parent = dirname(folder);
  try {
    accessSync(parent, constants.W_OK);
    if (parent === folder || statSync(parent).dev !== statSync(folder).dev) return null;
  } catch {
    return null;
  }
  const moment = systemClock.now().toISOString().replace(/\D/g, '').slice(0, 14);
  return join(parent, `${basename(folder)}.replaced-${moment}`);
}
