/** Making a repository: key file first, config last, so that an interrupted attempt leaves nothing that opens. */
import { randomBytes } from 'node:crypto';
import { AppError } from '@backupx/contracts/errors';
import { hashOf, toHex } from './format/blob-id.ts';
import { packConfig } from './format/config-file.ts';
import { createKeyFile, type ScryptCost } from './format/key-file.ts';
import { createMasterKey } from './format/master-key.ts';
import { randomPolynomial } from './format/polynomial.ts';
import { createSealedBox } from './format/sealed-box.ts';
import {
  keyIn,
  listFolder,
  openRepository,
  putObject,
  type Repository,
  type RepositoryPlace,
} from './open-repository.ts';
import { MAX_FILE_BYTES, readObject } from './read-object.ts';

export interface NewRepository {
  readonly password: string;
  /** Left out: a random one. */
  readonly polynomial?: bigint;
  readonly hostname: string;
  readonly username: string;
  /** RFC 3339. */
  readonly created: string;
  readonly cost?: ScryptCost;
}

/**
 * Makes an empty repository of version 2. Throws REPOSITORY_EXISTS when there is one, or the remains of one (keys
 * without a config), and what the storage throws. Of two that try at the same time one gets that error.
 */
export async function initRepository(
  place: RepositoryPlace,
  options: NewRepository,
  signal: AbortSignal,
): Promise<Repository> {
  await assertNothingThere(place, signal);
  const { storage } = place;
  const masterKey = createMasterKey();
  const keyFile = await createKeyFile({ ...options, masterKey });
  const config = createSealedBox(masterKey).seal(
    packConfig({
      version: 2,
      id: randomBytes(32).toString('hex'),
      chunkerPolynomial: options.polynomial ?? randomPolynomial(),
    }),
  );
  const keyKey = keyIn(place, `keys/${toHex(hashOf(keyFile))}`);
  await putObject(storage, keyKey, { bytes: keyFile, signal });
  try {
    if (await hasConfig(place, signal)) throw exists(place);
    await putObject(storage, keyIn(place, 'config'), { bytes: config, signal });
    const stored = await readObject(storage, keyIn(place, 'config'), { signal, maxBytes: MAX_FILE_BYTES.config });
    if (!stored.equals(config)) throw exists(place);
  } catch (error) {
    if (isExists(error)) await storage.delete(keyKey, signal).catch(() => {});
    throw error;
  }
  return await openRepository(place, { masterKey }, signal);
}

async function assertNothingThere(place: RepositoryPlace, signal: AbortSignal): Promise<void> {
  if (await hasConfig(place, signal)) throw exists(place);
  for await (const _ of listFolder(place, 'keys', signal)) throw exists(place);
}

async function hasConfig(place: RepositoryPlace, signal: AbortSignal): Promise<boolean> {
  try {
    await place.storage.stat(keyIn(place, 'config'), signal);
    return true;
  } catch (error) {
    if (error instanceof AppError && error.code === 'STORAGE_NOT_FOUND') return false;
    throw error;
  }
}

function exists(place: RepositoryPlace): AppError {
  return new AppError('REPOSITORY_EXISTS', { where: place.label });
}

function isExists(error: unknown): boolean {
  return error instanceof AppError && error.code === 'REPOSITORY_EXISTS';
}
