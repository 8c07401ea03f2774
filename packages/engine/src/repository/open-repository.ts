/**
 * A repository in a storage: where its files lie and how they are read and written. The layout is restic's
 * (`FORMAT.md`): `config`, and folders `keys`, `snapshots`, `index`, `locks` and `data/<first two digits>`, in which
 * each file is named by the SHA-256 of its bytes.
 */
import { AppError } from '@backupx/contracts/errors';
import type { ByteRange, Storage } from '../ports/storage.ts';
import { replayable } from '../ports/storage.ts';
import { hashOf, toHex } from './format/blob-id.ts';
import { parseConfig, type RepositoryConfig } from './format/config-file.ts';
import { isCostly, openKeyFile } from './format/key-file.ts';
import type { MasterKey } from './format/master-key.ts';
import { createSealedBox, type SealedBox } from './format/sealed-box.ts';
import { type JsonPieces, openFile, sealFile, sealPieces } from './format/unpacked-file.ts';
import { isLockLost } from './lock-lost.ts';
import { MAX_FILE_BYTES, readObject } from './read-object.ts';

export interface RepositoryPlace {
  readonly storage: Storage;
  /** Folder inside the storage, without slash at either end; `''`: its root. */
  readonly prefix: string;
  /** How errors call the place. */
  readonly label: string;
}

/** Kinds of files besides the config, named as their folders. */
export type RepositoryFolder = 'keys' | 'snapshots' | 'index' | 'locks' | 'data';

export interface RepositoryFile {
  /** 64 hex digits. */
  readonly name: string;
  readonly sizeBytes: number;
  readonly modifiedAt: Date | null;
}

/** Everything below throws STORAGE_* and CANCELLED as the storage does. */
export interface Repository {
  readonly place: RepositoryPlace;
  readonly config: RepositoryConfig;
  readonly masterKey: MasterKey;
  /** For this thread only. */
  readonly box: SealedBox;
  /** Name of the key file that the password opened; null when it was opened by its master key. */
  readonly keyId: string | null;
  /** Key of a file in the storage. */
  key(folder: RepositoryFolder, name: string): string;
  /** The files of a folder, any order; what is not named like one is passed over. */
  list(folder: RepositoryFolder, signal: AbortSignal): AsyncIterable<RepositoryFile>;
  /** The JSON in a file. Throws REPOSITORY_DAMAGED when its bytes are not what its name says, or cannot be opened. */
  readFile(folder: 'snapshots' | 'index' | 'locks', name: string, signal: AbortSignal): Promise<Buffer>;
  /**
   * Asked before an index or a snapshot is stored, again when it is, and before anything but a lock or a key is removed:
   * throws when the lock that the work is done under is not held any more. Null: it is done without one. Set by whoever
   * holds the lock.
   */
  assertLocked: ((signal: AbortSignal) => Promise<void>) | null;
  /**
   * Seals and stores JSON; answers the name of the new file. Throws what `assertLocked` throws. `packs` (hex): what an
   * index names; one that came when the lock was lost, and one of these was gone, is taken back.
   */
  saveFile(
    folder: 'snapshots' | 'index' | 'locks',
    json: Uint8Array | JsonPieces,
    signal: AbortSignal,
    packs?: readonly string[],
  ): Promise<string>;
  /** A missing file is success. Throws what `assertLocked` throws. */
  removeFile(folder: RepositoryFolder, name: string, signal: AbortSignal): Promise<void>;
  /** Bytes of a pack, all or a range; fewer when the pack ends before the range does. Nothing is verified. */
  readPack(name: string, range: ByteRange | null, signal: AbortSignal): Promise<Buffer>;
}

/** What opens a repository: a password, or the master key itself in base64, which saves the work of a key derivation. */
export type RepositoryUnlock = { readonly password: string } | { readonly masterKey: MasterKey };

/** Tries at a file whose bytes are not what its name says: the first may have met a broken transfer. */
const READ_ATTEMPTS = 2;
const CLEANUP_MS = 5_000;
const FILE_NAME = /^[0-9a-f]{64}$/;

/** Key of something directly in the folder of the repository. */
export function keyIn(place: Pick<RepositoryPlace, 'prefix'>, path: string): string {
  return place.prefix === '' ? path : `${place.prefix}/${path}`;
}

/**
 * Opens an existing repository. Throws REPOSITORY_NOT_FOUND, REPOSITORY_WRONG_PASSWORD, REPOSITORY_UNSUPPORTED,
 * REPOSITORY_DAMAGED and what the storage throws.
 */
export async function openRepository(
  place: RepositoryPlace,
  unlock: RepositoryUnlock,
  signal: AbortSignal,
): Promise<Repository> {
  const sealedConfig = await readConfig(place, signal);
  const found =
    'masterKey' in unlock
      ? { masterKey: unlock.masterKey, keyId: null }
      : await findKey({ place, sealedConfig, password: unlock.password, signal });
  const box = createSealedBox(found.masterKey);
  let config: Buffer;
  try {
    config = box.open(sealedConfig);
  } catch (error) {
    // A key file that opened holds the right key; a master key that was handed in may be another repository's.
    if (found.keyId === null) throw new AppError('REPOSITORY_WRONG_PASSWORD', {}, { cause: error });
    throw new AppError('REPOSITORY_DAMAGED', { reason: 'its config is not what was stored' }, { cause: error });
  }
  return new StoredRepository(place, parseConfig(config), box, found);
}

async function readConfig(place: RepositoryPlace, signal: AbortSignal): Promise<Buffer> {
  try {
    return await readObject(place.storage, keyIn(place, 'config'), { signal, maxBytes: MAX_FILE_BYTES.config });
  } catch (error) {
    if (error instanceof AppError && error.code === 'STORAGE_NOT_FOUND') {
      throw new AppError('REPOSITORY_NOT_FOUND', { where: place.label }, { cause: error });
    }
    throw error;
  }
}

interface FoundKey {
  readonly masterKey: MasterKey;
  readonly keyId: string | null;
}

interface KeySearch {
  readonly place: RepositoryPlace;
  readonly sealedConfig: Uint8Array;
  readonly password: string;
  readonly signal: AbortSignal;
  /** One that the password opened, and that does not open the config. */
  stray: FoundKey | null;
  /** Why a key file could not be tried, the last one. */
  failure: unknown;
  hasReadableKey: boolean;
}

/**
 * Tries the password on every key file, on those that ask for much work last. One that is damaged or asks for too much
 * does not stand in the way of the others, nor does one that holds another master key: that of a second attempt to make the
 * repository, which gave way and could not take it back.
 */
async function findKey(wanted: Pick<KeySearch, 'place' | 'sealedConfig' | 'password' | 'signal'>): Promise<FoundKey> {
  const { place, signal } = wanted;
  const search: KeySearch = { ...wanted, stray: null, failure: undefined, hasReadableKey: false };
  const costly: string[] = [];
  for await (const { name } of listFolder(place, 'keys', signal)) {
    const key = await tryKey(search, name, isCostly);
    if (key === 'later') costly.push(name);
    else if (key) return key;
  }
  for (const name of costly) {
    signal.throwIfAborted();
    const key = await tryKey(search, name, () => false);
    if (key && key !== 'later') return key;
  }
  if (search.stray) return search.stray;
  if (search.hasReadableKey) throw new AppError('REPOSITORY_WRONG_PASSWORD', {}, { cause: search.failure });
  throw search.failure ?? new AppError('REPOSITORY_DAMAGED', { reason: 'it has no key file' });
}

async function tryKey(
  search: KeySearch,
  name: string,
  isLater: (bytes: Uint8Array) => boolean,
): Promise<FoundKey | 'later' | null> {
  const { place, password, signal } = search;
  try {
    const options = { signal, maxBytes: MAX_FILE_BYTES.keys };
    const bytes = await readObject(place.storage, keyIn(place, `keys/${name}`), options);
    if (isLater(bytes)) return 'later';
    const masterKey = await openKeyFile(bytes, password);
    const found = masterKey && { masterKey, keyId: name };
    if (found && opens(masterKey, search.sealedConfig)) return found;
    search.stray ??= found;
    search.hasReadableKey = true;
  } catch (error) {
    const isOneFile = error instanceof AppError && ['REPOSITORY_DAMAGED', 'STORAGE_NOT_FOUND'].includes(error.code);
    if (!isOneFile) throw error;
    search.failure = error;
  }
  return null;
}

function opens(masterKey: MasterKey, sealed: Uint8Array): boolean {
  try {
    createSealedBox(masterKey).open(sealed);
    return true;
  } catch {
    return false;
  }
}

/** Files of a folder by the form of their names; data files must also lie in the folder that is theirs. */
export async function* listFolder(
  place: RepositoryPlace,
  folder: RepositoryFolder,
  signal: AbortSignal,
): AsyncGenerator<RepositoryFile> {
  const start = keyIn(place, `${folder}/`);
  for await (const { key, sizeBytes, modifiedAt } of place.storage.list(start, signal)) {
    const path = key.slice(start.length);
    const name = folder === 'data' ? path.slice(3) : path;
    const isOurs = FILE_NAME.test(name) && (folder !== 'data' || path.slice(0, 3) === `${name.slice(0, 2)}/`);
    if (isOurs) yield { name, sizeBytes, modifiedAt };
  }
}

class StoredRepository implements Repository {
  readonly place: RepositoryPlace;
  readonly config: RepositoryConfig;
  readonly masterKey: MasterKey;
  readonly box: SealedBox;
  readonly keyId: string | null;
  assertLocked: Repository['assertLocked'] = null;

  constructor(place: RepositoryPlace, config: RepositoryConfig, box: SealedBox, found: FoundKey) {
    this.place = place;
    this.config = config;
    this.box = box;
    this.masterKey = found.masterKey;
    this.keyId = found.keyId;
  }

  key(folder: RepositoryFolder, name: string): string {
    return keyIn(this.place, folder === 'data' ? `data/${name.slice(0, 2)}/${name}` : `${folder}/${name}`);
  }

  list(folder: RepositoryFolder, signal: AbortSignal): AsyncIterable<RepositoryFile> {
    return listFolder(this.place, folder, signal);
  }

  async readFile(folder: 'snapshots' | 'index' | 'locks', name: string, signal: AbortSignal): Promise<Buffer> {
    for (let attempt = 1; attempt <= READ_ATTEMPTS; attempt += 1) {
      const bytes = await readObject(this.place.storage, this.key(folder, name), {
        signal,
        maxBytes: MAX_FILE_BYTES[folder],
      });
      if (toHex(hashOf(bytes)) === name) return this.#open(bytes, folder, name);
    }
    throw new AppError('REPOSITORY_DAMAGED', { reason: `the bytes of ${folder}/${name} are not what its name says` });
  }

  #open(bytes: Buffer, folder: 'snapshots' | 'index' | 'locks', name: string): Buffer {
    try {
      return openFile(this.box, bytes, folder === 'locks' ? MAX_FILE_BYTES.locks : undefined);
    } catch (error) {
      throw new AppError('REPOSITORY_DAMAGED', { reason: `${folder}/${name} cannot be opened` }, { cause: error });
    }
  }

  async saveFile(
    folder: 'snapshots' | 'index' | 'locks',
    json: Uint8Array | JsonPieces,
    signal: AbortSignal,
    packs: readonly string[] = [],
  ): Promise<string> {
    const { version } = this.config;
    const assertLocked = folder === 'locks' ? null : this.assertLocked;
    await assertLocked?.(signal);
    const bytes = 'pieces' in json ? await sealPieces(this.box, json, version) : sealFile(this.box, json, version);
    const name = toHex(hashOf(bytes));
    const key = this.key(folder, name);
    try {
      // With each try again: it may come long after the first, and after a sleep of the machine.
      const beforeTry = async () => await assertLocked?.(signal);
      await putObject(this.place.storage, key, { bytes, signal, beforeTry });
      if (folder !== 'locks') await assertStored(this.place.storage, key, { sizeBytes: bytes.byteLength, signal });
      // The last try may have begun before a sleep of the machine and ended after it.
      await assertLocked?.(signal);
    } catch (error) {
      // It may be there all the same, and nobody knows its name: a lock would stand in the way for half an hour, and what
      // a snapshot needs may be gone. An index stays: it may have come long ago, and others count on it since; but not
      // where its packs are gone, or later runs would not store again what was in them.
      const mustGo =
        folder === 'locks' ||
        (isLockLost(error) &&
          (folder === 'snapshots' || (await this.#isAnyGone(packs, AbortSignal.timeout(CLEANUP_MS)))));
      if (mustGo) await this.place.storage.delete(key, AbortSignal.timeout(CLEANUP_MS)).catch(() => {});
      throw error;
    }
    return name;
  }

  /** Whether it is known that one of the packs is gone. */
  async #isAnyGone(packs: readonly string[], signal: AbortSignal): Promise<boolean> {
    try {
      for (const id of packs) await this.place.storage.stat(this.key('data', id), signal);
    } catch (error) {
      return error instanceof AppError && error.code === 'STORAGE_NOT_FOUND';
    }
    return false;
  }

  async removeFile(folder: RepositoryFolder, name: string, signal: AbortSignal): Promise<void> {
    // After a sleep of the machine somebody else may need what nobody needed before.
    if (folder !== 'locks' && folder !== 'keys') await this.assertLocked?.(signal);
    await this.place.storage.delete(this.key(folder, name), signal);
  }

  readPack(name: string, range: ByteRange | null, signal: AbortSignal): Promise<Buffer> {
    return readObject(this.place.storage, this.key('data', name), { signal, ...(range ? { range } : {}) });
  }
}

/** A write that got lost must show now, not when it is needed. Throws STORAGE_FAILED. */
export async function assertStored(
  storage: Storage,
  key: string,
  { sizeBytes, signal }: { readonly sizeBytes: number; readonly signal: AbortSignal },
): Promise<void> {
  const kept = await storage.stat(key, signal).then(
    (stored) => stored.sizeBytes,
    (error: unknown) => {
      if (!(error instanceof AppError) || error.code !== 'STORAGE_NOT_FOUND') throw error;
      throw new AppError('STORAGE_FAILED', { reason: `it lost ${key}, which was just written` }, { cause: error });
    },
  );
  if (kept !== sizeBytes) {
    throw new AppError('STORAGE_FAILED', { reason: `of ${key} it kept ${kept} of ${sizeBytes} bytes` });
  }
}

interface StoredBytes {
  readonly bytes: Uint8Array;
  readonly signal: AbortSignal;
  /** What it throws ends it. */
  readonly beforeTry?: () => Promise<void>;
}

/** Stores bytes whole. */
export async function putObject(
  storage: Storage,
  key: string,
  { bytes, signal, beforeTry }: StoredBytes,
): Promise<void> {
  // Its errors may say that one may try again, but that means the whole work.
  const ended = new AbortController();
  const body = replayable(async function* () {
    await beforeTry?.().catch((error: unknown) => {
      ended.abort(error);
      throw error;
    });
    yield bytes;
  });
  await storage.put(key, body, { signal: AbortSignal.any([signal, ended.signal]), sizeBytes: bytes.byteLength });
}
