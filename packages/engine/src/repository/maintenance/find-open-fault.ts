import { AppError } from '@backupx/contracts/errors';
import type { CheckRepositoryResult } from '@backupx/contracts/jobs';
import { hashOf, toHex } from '../format/blob-id.ts';
import { createSealedBox } from '../format/sealed-box.ts';
import { openFile } from '../format/unpacked-file.ts';
import { keyIn, listFolder, type RepositoryPlace, type RepositoryUnlock } from '../open-repository.ts';
import { MAX_FILE_BYTES, readObject } from '../read-object.ts';
import { addMissingKey, findKeyFault } from './check-keys.ts';
import { damageReason } from './index-files.ts';
import { ProblemLog } from './problem-log.ts';

export interface OpenFault {
  readonly unlock: RepositoryUnlock;
  /** What opening failed with. */
  readonly error: unknown;
  readonly signal: AbortSignal;
}

/**
 * Why a repository could not be opened: a damaged or missing config or key is a finding, as a check reports it. Anything
 * else (no repository, simply a wrong password, storage out of reach) is thrown as it was.
 */
export async function findOpenFault(place: RepositoryPlace, fault: OpenFault): Promise<CheckRepositoryResult> {
  const log = new ProblemLog();
  await addFaults(place, fault, log);
  if (!log.hasErrors) throw fault.error;
  return {
    ...{ status: 'damaged', problems: log.problems, problemCount: log.count, snapshotCount: 0, intactSnapshotIds: [] },
    ...{ packCount: 0, blobCount: 0, bytesRead: 0 },
  };
}

async function addFaults(place: RepositoryPlace, { unlock, error, signal }: OpenFault, log: ProblemLog): Promise<void> {
  if (!(error instanceof AppError)) return;
  const blameConfig = (reason: string) =>
    log.add('error', 'config_damaged', { object: 'config', message: `The repository cannot be opened: ${reason}.` });
  if (error.code === 'REPOSITORY_NOT_FOUND') {
    for await (const _ of listFolder(place, 'keys', signal)) {
      blameConfig('its config is missing');
      return;
    }
  }
  if (error.code === 'REPOSITORY_UNSUPPORTED') blameConfig(String(error.params.reason));
  if (error.code !== 'REPOSITORY_WRONG_PASSWORD' && error.code !== 'REPOSITORY_DAMAGED') return;
  if ('masterKey' in unlock) {
    if (error.code === 'REPOSITORY_DAMAGED') blameConfig(damageReason(error));
    else if (await opensSomething(place, unlock, signal)) blameConfig('its config is not what was stored');
    return;
  }
  await blameKeys(place, signal, log);
  if (!log.hasErrors && error.code === 'REPOSITORY_DAMAGED') blameConfig(damageReason(error));
}

async function blameKeys(place: RepositoryPlace, signal: AbortSignal, log: ProblemLog): Promise<void> {
  let keys = 0;
  for await (const { name } of listFolder(place, 'keys', signal)) {
    keys += 1;
    const reason = await findKeyFault(place, name, signal);
    if (reason === null) continue;
    const message = `No password opens the key any longer: ${reason}.`;
    log.add('error', 'key_damaged', { object: `keys/${name}`, message });
  }
  if (keys === 0) addMissingKey(log);
}

/** Whether the master key is the right one: then it opens the files whose bytes are whole. */
async function opensSomething(
  place: RepositoryPlace,
  { masterKey }: Extract<RepositoryUnlock, { readonly masterKey: unknown }>,
  signal: AbortSignal,
): Promise<boolean> {
  const box = createSealedBox(masterKey);
  for (const folder of ['index', 'snapshots'] as const) {
    for await (const { name } of listFolder(place, folder, signal)) {
      const bytes = await readWhole(place, { folder, name }, signal);
      if (bytes === null) continue;
      try {
        openFile(box, bytes);
        return true;
      } catch {
        return false;
      }
    }
  }
  return false;
}

/** The bytes of a file; null when they are not what was stored. */
async function readWhole(
  place: RepositoryPlace,
  { folder, name }: { readonly folder: 'index' | 'snapshots'; readonly name: string },
  signal: AbortSignal,
): Promise<Buffer | null> {
  try {
    const options = { signal, maxBytes: MAX_FILE_BYTES[folder] };
    const bytes = await readObject(place.storage, keyIn(place, `${folder}/${name}`), options);
    return toHex(hashOf(bytes)) === name ? bytes : null;
  } catch (error) {
    if (error instanceof AppError && error.code === 'REPOSITORY_DAMAGED') return null;
    throw error;
  }
}
