import { AppError } from '@backupx/contracts/errors';
import { hashOf, toHex } from '../format/blob-id.ts';
import { assertKeyFile } from '../format/key-file.ts';
import { keyIn, type RepositoryPlace } from '../open-repository.ts';
import { MAX_FILE_BYTES, readObject } from '../read-object.ts';
import { damageReason } from './index-files.ts';
import { listFiles } from './list-files.ts';
import type { MaintenanceWork } from './maintenance-work.ts';
import type { ProblemLog } from './problem-log.ts';

/** Notes key files that are not what was stored, and that there is none. */
export async function checkKeys(work: MaintenanceWork, log: ProblemLog): Promise<void> {
  let keys = 0;
  for await (const { name, path } of listFiles(work, 'keys')) {
    if (name === null) {
      log.add('hint', 'file_foreign', { object: path, message: 'The file does not belong into a repository.' });
      continue;
    }
    const reason = await findKeyFault(work.repository.place, name, work.signal);
    if (reason === null) keys += 1;
    else log.add('error', 'key_damaged', { object: path, message: `No password opens the key any longer: ${reason}.` });
  }
  if (keys === 0) addMissingKey(log);
}

/** Notes that no key can be used. */
export function addMissingKey(log: ProblemLog): void {
  const message = 'There is no whole key; no password opens the repository.';
  log.add('error', 'key_missing', { object: 'keys', message });
}

/** Why no password opens a key file; null: nothing is wrong with it. Throws what the storage throws. */
export async function findKeyFault(place: RepositoryPlace, name: string, signal: AbortSignal): Promise<string | null> {
  try {
    const bytes = await readObject(place.storage, keyIn(place, `keys/${name}`), {
      signal,
      maxBytes: MAX_FILE_BYTES.keys,
    });
    if (toHex(hashOf(bytes)) !== name) return 'its bytes are not what its name says';
    assertKeyFile(bytes);
    return null;
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof AppError) || !['REPOSITORY_DAMAGED', 'STORAGE_NOT_FOUND'].includes(error.code)) throw error;
    return damageReason(error);
  }
}
