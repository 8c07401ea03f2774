/** The key files of a repository: one per password, all with the same master key in them. */
import { AppError } from '@backupx/contracts/errors';
import { hashOf, toHex } from './format/blob-id.ts';
import { createKeyFile, type NewKeyFile, openKeyFile, parseKeyFile } from './format/key-file.ts';
import { putObject, type Repository } from './open-repository.ts';
import { MAX_FILE_BYTES, readObject } from './read-object.ts';

/** For a key that must not be lost, whoever cancels meanwhile. */
const PUT_BACK_MS = 30_000;

export interface RepositoryKey {
  /** Hex; the name of its file. */
  readonly id: string;
  readonly username: string;
  readonly hostname: string;
  /** RFC 3339. */
  readonly created: string;
  /** Opened by the password that the repository was opened with. */
  readonly isCurrent: boolean;
}

/** All keys, oldest first. Files that are no key files are left out. */
export async function listKeys(repository: Repository, signal: AbortSignal): Promise<RepositoryKey[]> {
  const keys: RepositoryKey[] = [];
  for await (const { name } of repository.list('keys', signal)) {
    try {
      const bytes = await readObject(repository.place.storage, repository.key('keys', name), {
        signal,
        maxBytes: MAX_FILE_BYTES.keys,
      });
      keys.push({ id: name, ...parseKeyFile(bytes), isCurrent: name === repository.keyId });
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'REPOSITORY_DAMAGED') throw error;
    }
  }
  return keys.sort((a, b) => (a.created === b.created ? 0 : a.created < b.created ? -1 : 1));
}

/** Adds a key for a password and answers its id; it is read back and opened before anyone relies on it. */
export async function addKey(
  repository: Repository,
  options: Omit<NewKeyFile, 'masterKey'>,
  signal: AbortSignal,
): Promise<string> {
  const { masterKey, place } = repository;
  const bytes = await createKeyFile({ ...options, masterKey });
  const id = toHex(hashOf(bytes));
  const key = repository.key('keys', id);
  await putObject(place.storage, key, { bytes, signal });
  const stored = await readObject(place.storage, key, { signal, maxBytes: MAX_FILE_BYTES.keys });
  if (stored.equals(bytes) && (await openKeyFile(stored, options.password))) return id;
  await place.storage.delete(key, signal).catch(() => {});
  throw new AppError('STORAGE_FAILED', { reason: 'it did not give back the new key as it was stored' });
}

/**
 * Removes a key by its id or the beginning of it. Throws INVALID_INPUT when there is no such key or it is not the only
 * one meant, when it is the last, when it is the one that the repository was opened with, and when that one is removed
 * by somebody else at the same moment: then it is put back.
 */
export async function removeKey(repository: Repository, text: string, signal: AbortSignal): Promise<void> {
  const keys = await listKeys(repository, signal);
  const found = keys.filter((key) => text !== '' && key.id.startsWith(text.toLowerCase()));
  const [only] = found;
  if (!only || found.length > 1) throw badKey(`${found.length} keys of the repository begin with ${text}.`);
  if (keys.length === 1) throw badKey('This is the last key; without it nothing could be opened.');
  if (only.isCurrent) throw badKey('The repository was opened with this key; open it with another to remove it.');
  const { storage } = repository.place;
  const key = repository.key('keys', only.id);
  const bytes = await readObject(storage, key, { signal, maxBytes: MAX_FILE_BYTES.keys });
  await repository.removeFile('keys', only.id, signal);
  let isSafe = false;
  try {
    isSafe = await hasOwnKey(repository, signal);
  } finally {
    // Also when it cannot be told.
    if (!isSafe) await putObject(storage, key, { bytes, signal: AbortSignal.timeout(PUT_BACK_MS) });
  }
  if (!isSafe) {
    throw badKey('Somebody removed the key that opened the repository at the same moment; so this one was put back.');
  }
}

/**
 * Of two who remove one another's key at the same moment the later one sees that its own is gone. Without an own one any
 * other will do; else not: nobody knows whether a key of another password opens this repository.
 */
async function hasOwnKey(repository: Repository, signal: AbortSignal): Promise<boolean> {
  const keys = await listKeys(repository, signal);
  return repository.keyId === null ? keys.length > 0 : keys.some(({ isCurrent }) => isCurrent);
}

/** Replaces the key that the repository was opened with; answers the id of the new one. Throws INVALID_INPUT. */
export async function changeKey(
  repository: Repository,
  options: Omit<NewKeyFile, 'masterKey'>,
  signal: AbortSignal,
): Promise<string> {
  const { keyId } = repository;
  if (keyId === null) throw badKey('Changing a key needs the password that it has now.');
  const id = await addKey(repository, options, signal);
  await repository.removeFile('keys', keyId, signal);
  return id;
}

function badKey(message: string): AppError {
  return new AppError('INVALID_INPUT', {}, { fields: [{ path: 'keyId', code: 'invalid', message }] });
}
