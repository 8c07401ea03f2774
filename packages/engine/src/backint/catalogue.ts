/** What is stored, read from the storage itself. */
import type { Storage } from '../ports/storage.ts';
import { fileFolder, readKey, type StoredBackup, userFolder } from './object-keys.ts';

export interface Catalogue {
  /** Backups of a file, or of all files, newest first. */
  list(file: string | null, signal: AbortSignal): Promise<StoredBackup[]>;
  /** The backup with this id; without a file all names are looked through. */
  find(ebid: string, file: string | null, signal: AbortSignal): Promise<StoredBackup | null>;
}

/** The catalogue of one user. */
export function openCatalogue(storage: Storage, prefix: string, user: string): Catalogue {
  const folder = userFolder(prefix, user);

  async function collect(file: string | null, start: string, signal: AbortSignal): Promise<StoredBackup[]> {
    const found: StoredBackup[] = [];
    const inside = file === null ? folder : fileFolder(prefix, user, file);
    for await (const { key } of storage.list(`${inside}${start}`, signal)) {
      const backup = readKey(key, folder);
      if (backup && (file === null || backup.file === file)) found.push(backup);
    }
    return found.sort((a, b) => (a.ebid < b.ebid ? 1 : a.ebid > b.ebid ? -1 : 0));
  }

  return {
    list: (file, signal) => collect(file, '', signal),
    async find(ebid, file, signal) {
      // The id comes from outside: it is compared, never made a part of a path unless it has the form of ours.
      const start = file !== null && /^[0-9a-f-]+$/.test(ebid) ? ebid : '';
      return (await collect(file, start, signal)).find((backup) => backup.ebid === ebid) ?? null;
    },
  };
}
