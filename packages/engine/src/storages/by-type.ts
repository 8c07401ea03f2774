/** Storages of `index.ts` that a job loads alone. For one that is not here a job loads them all. */
import type { StorageDriver } from '../ports/storage.ts';

export const storagesByType: Readonly<Record<string, () => Promise<StorageDriver>>> = {
  local_disk: async () => (await import('./local-disk.ts')).localDisk,
  s3: async () => (await import('./s3.ts')).s3,
};
