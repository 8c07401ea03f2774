/** Making a repository: key file first, config last, so that an interrupted attempt leaves nothing that opens. */
import { randomBytes } from 'node:crypto';
import { AppError } from '@backupx/contracts/errors';
import { type Clock, systemClock } from '../ports/clock.ts';
import type { Storage } from '../ports/storage.ts';
import { hashOf, toHex } from './format/blob-id.ts';
import { packConfig } from './format/config-file.ts';
import { createKeyFile, openKeyFile, parseKeyFile, type ScryptCost } from './format/key-file.ts';
import { createMasterKey, type MasterKey } from './format/master-key.ts';
import { randomPolynomial } from './format/polynomial.ts';
import { createSealedBox } from './format/sealed-box.ts';
import {
  keyIn,
  listFolder,
  openRepository,
  putObject,
  type Repository,
  type RepositoryFile,
  type RepositoryPlace,
} from './open-repository.ts';
import { MAX_FILE_BYTES, readObject } from './read-object.ts';

const LOOK_MS = 500;
/** Longer than writing a config takes. */
const MAX_LOOKS = 40;
const CLEANUP_MS = 30_000;
/** No attempt takes so long. */
const CUT_OFF_AFTER_MS = 60 * 60_000;

const MADE_MEANWHILE = 'somebody else made one, or is making one, at the same moment';
const KEYS_ALONE =
  'its keys without a config: it is being made now, or that was cut off; then the same password takes it up after an hour';

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
 * without a config) that the password does not open, and what the storage throws. Of two that try at the same time one gets that error, also where a
 * storage lets the later of two writers win: who sees somebody else's key gives way, or waits until it is gone.
 */
export async function initRepository(
  place: RepositoryPlace,
  options: NewRepository,
  signal: AbortSignal,
): Promise<Repository> {
  const { storage } = place;
  const clock = options.clock ?? systemClock;
  const left = await findRemains(place, { password: options.password, clock, signal });
  const { masterKey, keyName, keyFile } = left ?? (await makeKey(options));
  const config = createSealedBox(masterKey).seal(
    packConfig({
      version: 2,
      id: randomBytes(32).toString('hex'),
      chunkerPolynomial: options.polynomial ?? randomPolynomial(),
    }),
  );
  const keyKey = keyIn(place, `keys/${keyName}`);
  let [mayHaveConfig, isPut] = [false, false];
  try {
    if (keyFile) await putObject(storage, keyKey, { bytes: keyFile, signal });
    await waitUntilAlone(place, { keyName, clock, signal });
    mayHaveConfig = true;
    await putObject(storage, keyIn(place, 'config'), { bytes: config, signal });
    isPut = true;
    const stored = await readObject(storage, keyIn(place, 'config'), { signal, maxBytes: MAX_FILE_BYTES.config });
    if (!stored.equals(config)) throw exists(place, MADE_MEANWHILE);
  } catch (error) {
    // A config that came through although its storage did not say so would be lost without its key.
    if (keyFile && (!mayHaveConfig || isWithoutEffect(error, isPut))) await removeKey(storage, keyKey);
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

interface InitKey {
  readonly masterKey: MasterKey;
  readonly keyName: string;
  /** Null: it is stored already. */
  readonly keyFile: Buffer | null;
}

async function makeKey(options: NewRepository): Promise<InitKey> {
  const masterKey = createMasterKey();
  const keyFile = await createKeyFile({ ...options, masterKey });
  return { masterKey, keyName: toHex(hashOf(keyFile)), keyFile };
}

interface Search {
  readonly password: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/**
 * The only key in the place, when the password opens it and it is so old that whoever stored it does no more: the
 * attempt was cut off, and is taken up. Null: nothing is there. Throws REPOSITORY_EXISTS.
 */
async function findRemains(place: RepositoryPlace, search: Search): Promise<InitKey | null> {
  const { signal } = search;
  if (await hasConfig(place, signal)) throw exists(place);
  const files: RepositoryFile[] = [];
  for await (const file of listFolder(place, 'keys', signal)) files.push(file);
  const [only] = files;
  if (!only) return null;
  // With anything more it is a repository that lost its config.
  const isAlone = files.length === 1 && !(await hasContent(place, signal));
  const key = isAlone ? await openRemains(place, only, search) : null;
  if (!key) throw exists(place, KEYS_ALONE);
  return key;
}

async function hasContent(place: RepositoryPlace, signal: AbortSignal): Promise<boolean> {
  for (const folder of ['snapshots', 'index', 'data'] as const) {
    for await (const _ of listFolder(place, folder, signal)) return true;
  }
  return false;
}

async function openRemains(
  place: RepositoryPlace,
  { name, modifiedAt }: RepositoryFile,
  { password, clock, signal }: Search,
): Promise<InitKey | null> {
  const bytes = await readObject(place.storage, keyIn(place, `keys/${name}`), {
    signal,
    maxBytes: MAX_FILE_BYTES.keys,
  });
  try {
    const createdMs = Date.parse(parseKeyFile(bytes).created);
    const youngestMs = Math.max(createdMs, modifiedAt?.getTime() ?? createdMs);
    const isOld = clock.now().getTime() - youngestMs > CUT_OFF_AFTER_MS;
    const masterKey = isOld ? await openKeyFile(bytes, password) : null;
    return masterKey && { masterKey, keyName: name, keyFile: null };
  } catch (error) {
    if (error instanceof AppError && error.code === 'REPOSITORY_DAMAGED') return null;
    throw error;
  }
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
function isWithoutEffect(error: unknown, isPut: boolean): boolean {
  if (!(error instanceof AppError)) return false;
  if (error.code === 'REPOSITORY_EXISTS') return true;
  // Of a storage that took it and does not let us read it: then it is there.
  return !isPut && ['STORAGE_FULL', 'STORAGE_PERMISSION'].includes(error.code);
}
