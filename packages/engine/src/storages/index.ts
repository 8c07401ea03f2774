/** The list of storages. A new one is a file beside this and a line here; form, validation and tests follow from it. */
import type { StorageDriver } from '../ports/storage.ts';
import { localDisk } from './local-disk.ts';
import { s3 } from './s3.ts';

export const storageDrivers: readonly StorageDriver[] = [localDisk, s3];
