import { AppError } from '@backupx/contracts/errors';
import { hashOf, toHex } from '../format/blob-id.ts';
import { parseKeyFile } from '../format/key-file.ts';
import { readObject } from '../read-object.ts';
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
    const reason = await faultOf(work, name);
    if (reason === null) keys += 1;
    else log.add('error', 'key_damaged', { object: path, message: `No password opens the key any longer: ${reason}.` });
  }
  if (keys > 0) return;
  log.add('error', 'key_missing', {
    object: 'keys',
    message: 'There is no whole key; no password opens the repository.',
  });
}

async function faultOf({ repository, signal }: MaintenanceWork, name: string): Promise<string | null> {
  try {
    const bytes = await readObject(repository.place.storage, repository.key('keys', name), { signal });
    if (toHex(hashOf(bytes)) !== name) return 'its bytes are not what its name says';
    parseKeyFile(bytes);
    return null;
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof AppError) || !['REPOSITORY_DAMAGED', 'STORAGE_NOT_FOUND'].includes(error.code)) throw error;
    return damageReason(error);
  }
}
