/** Making a repository: key file first, config last, so that an interrupted attempt leaves nothing that opens. */
import { randomBytes } from 'node:crypto';
import { AppError } from '@backupx/contracts/errors';
import { type Clock, systemClock } from '../ports/clock.ts';
import type { Storage } from '../ports/storage.ts';
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

const LOOK_MS = 500;
/** Longer than writing a config takes. */
const MAX_LOOKS = 40;
const CLEANUP_MS = 30_000;

const MADE_MEANWHILE = 'somebody else made one, or is making one, at the same moment';
const KEYS_ALONE = 'its keys without a config: it is being made now, or that was interrupted and "keys" can be removed';

export interface NewRepository {
  readonly password: string;
  /** Left out: a random one. */
  readonly polynomial?: bigint;
  readonly hostname: string;
  readonly username: string;
  /** RFC 3339. */
  readonly created: string;
  readonly cost?: ScryptCost;
  /** Default: the system's. */
  readonly clock?: Clock;
}

/**
 * Makes an empty repository of version 2. Throws REPOSITORY_EXISTS when there is one, or the remains of one (keys
 * without a config), and what the storage throws. Of two that try at the same time one gets that error, also where a
 * storage lets the later of two writers win: who sees somebody else's key gives way, or waits until it is gone.
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
  const keyName = toHex(hashOf(keyFile));
  const keyKey = keyIn(place, `keys/${keyName}`);
  let mayHaveConfig = false;
  try {
    await putObject(storage, keyKey, { bytes: keyFile, signal });
    await waitUntilAlone(place, { keyName, clock: options.clock ?? systemClock, signal });
    mayHaveConfig = true;
    await putObject(storage, keyIn(place, 'config'), { bytes: config, signal });
    const stored = await readObject(storage, keyIn(place, 'config'), { signal, maxBytes: MAX_FILE_BYTES.config });
    if (!stored.equals(config)) throw exists(place, MADE_MEANWHILE);
  } catch (error) {
    // A config that came through although its storage did not say so would be lost without its key.
    if (!mayHaveConfig || isWithoutEffect(error)) await removeKey(storage, keyKey);
    throw error;
  }
  return await openRepository(place, { masterKey }, signal);
}

/**
 * Each writes its key before it looks for others, so of two at least one sees the other. The first by name goes on, once
 * the other has given way; or gives way itself, when that one had looked before.
 */
async function waitUntilAlone(
  place: RepositoryPlace,
  { keyName, clock, signal }: { readonly keyName: string; readonly clock: Clock; readonly signal: AbortSignal },
): Promise<void> {
  for (let look = 1; ; look += 1) {
    const others: string[] = [];
    for await (const { name } of listFolder(place, 'keys', signal)) if (name !== keyName) others.push(name);
    if (await hasConfig(place, signal)) throw exists(place, MADE_MEANWHILE);
    if (others.length === 0) return;
    if (look === MAX_LOOKS || others.some((name) => name < keyName)) throw exists(place, MADE_MEANWHILE);
    await clock.sleep(LOOK_MS, signal);
  }
}

async function removeKey(storage: Storage, key: string): Promise<void> {
  await storage.delete(key, AbortSignal.timeout(CLEANUP_MS)).catch(() => {});
}

async function assertNothingThere(place: RepositoryPlace, signal: AbortSignal): Promise<void> {
  if (await hasConfig(place, signal)) throw exists(place);
  for await (const _ of listFolder(place, 'keys', signal)) throw exists(place, KEYS_ALONE);
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

function exists({ label }: RepositoryPlace, detail = ''): AppError {
  return new AppError('REPOSITORY_EXISTS', { where: detail === '' ? label : `${label} (${detail})` });
}

/** True when the config is certainly not ours: another one is there, or the storage took nothing. */
function isWithoutEffect(error: unknown): boolean {
  return error instanceof AppError && ['REPOSITORY_EXISTS', 'STORAGE_FULL', 'STORAGE_PERMISSION'].includes(error.code);
}
