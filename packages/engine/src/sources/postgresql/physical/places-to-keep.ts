import { realpathSync } from 'node:fs';
import { basename, join } from 'node:path';
import { placeToKeep } from '../../../ports/place-to-keep.ts';

/**
 * Where what a restore replaces is kept: the data directory and its tablespaces each beside their places; a tablespace
 * that is a file system of its own inside of it. Null: the data directory cannot be kept, so neither are they.
 */
export function placesToKeep(dataFolder: string): ((folder: string) => string) | null {
  const data = placeToKeep(realpathSync(dataFolder));
  if (data === null) return null;
  const moment = /\d{14}$/.exec(basename(data))?.[0] ?? '';
  return (folder) => {
    if (folder === dataFolder) return data;
    const beside = placeToKeep(realpathSync(folder));
    return beside === null ? join(folder, `.backupx-kept-${moment}`) : beside.replace(/\d{14}$/, moment);
  };
}
