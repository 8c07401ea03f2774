/**
 * The archive of PostgreSQL's log: what `archive_command` and `restore_command` start for every segment. A door of its
 * own into this package, like the Backint agent: no job, no threads, no master, only a file and a storage.
 */
import { AppError } from '@backupx/contracts/errors';
import { z } from 'zod';
import { describeError } from './direct-storage/describe-error.ts';
import { type DirectParameters, readParameterFile } from './direct-storage/parameter-file.ts';
import { fieldsOfStorage, openDirectStorage, openLog } from './open-direct-storage.ts';
import { type ExpireOptions, type Expiry, expireArchive } from './wal/expire-archive.ts';
import { fetchFile } from './wal/fetch-file.ts';
import { type ArchiveSummary, listArchive } from './wal/list-archive.ts';
import { pushFile } from './wal/push-file.ts';
import { type VerifyWalOptions, verifyArchive, type WalVerdict } from './wal/verify-archive.ts';

import { WalArchiveStore } from './wal/wal-archive-store.ts';

const DEFAULTS = { prefix: 'wal', parallelism: 4 };
const OWN_SHAPE = { time_limit_seconds: z.coerce.number().int().min(1).max(86_400).default(300) };

export interface WalCall {
  readonly parameterFile: string;
  readonly signal: AbortSignal;
}

/**
 * `archive_command`. Answers the bytes that were stored, 0 for a file that was there. Throws CONFIG_INVALID,
 * WAL_FILE_REFUSED, WAL_CONFLICT, WAL_OTHER_CLUSTER, TIMEOUT, CANCELLED, and what the storage says.
 */
export function pushWal(call: WalCall, path: string): Promise<number> {
  return withArchive(call, `push ${path}`, async ({ archive, signal, log }) => {
    const sizeBytes = await pushFile(path, archive, { signal });
    log(`push ${path}: ${sizeBytes === 0 ? 'was there' : `${sizeBytes} bytes stored`}`);
    return sizeBytes;
  });
}

/** `restore_command`. False: the archive is there, and does not hold this file. Throws like `pushWal`, and ARTIFACT_…. */
export function fetchWal(call: WalCall, file: { readonly name: string; readonly path: string }): Promise<boolean> {
  return withArchive(call, `fetch ${file.name}`, async ({ archive, signal, log }) => {
    const isThere = await fetchFile(file, archive, { signal });
    log(`fetch ${file.name}: ${isThere ? 'restored' : 'not there'}`);
    return isThere;
  });
}

/** Throws CONFIG_INVALID, WAL_ARCHIVE_MISSING, WAL_OTHER_CLUSTER, CANCELLED, and what the storage says. */
export function listWal(call: WalCall): Promise<ArchiveSummary> {
  return withArchive(call, 'list', ({ archive }) => listArchive(archive, call.signal));
}

/** Throws like `listWal`; what is wrong with the archive is a part of the answer. */
export function verifyWal(call: WalCall, options: Pick<VerifyWalOptions, 'from' | 'isDeep'>): Promise<WalVerdict> {
  return withArchive(call, 'verify', ({ archive, parameters }) =>
    verifyArchive(archive, { ...options, parallelism: parameters.parallelism, signal: call.signal }),
  );
}

/** Throws like `listWal`, and INVALID_INPUT, WAL_STILL_NEEDED. */
export function expireWal(call: WalCall, options: Omit<ExpireOptions, 'signal' | 'parallelism'>): Promise<Expiry> {
  return withArchive(call, 'expire', async ({ archive, parameters, log }) => {
    const all = { ...options, parallelism: parameters.parallelism, signal: call.signal };
    const expiry = await expireArchive(archive, all);
    if (expiry.isDeleted) log(`expire: ${expiry.files.length} files before ${expiry.keptFrom} deleted`);
    return expiry;
  });
}

interface OpenArchive {
  readonly archive: WalArchiveStore;
  readonly parameters: DirectParameters;
  /** Also aborted when the time for one file is over. */
  readonly signal: AbortSignal;
  readonly log: (message: string) => void;
}

async function withArchive<T>(call: WalCall, what: string, work: (open: OpenArchive) => Promise<T>): Promise<T> {
  const { direct, extra } = readParameterFile(call.parameterFile, {
    extra: OWN_SHAPE,
    defaults: DEFAULTS,
    fieldsOf: fieldsOfStorage,
  });
  const log = openLog(direct.logFile);
  const storage = openDirectStorage(direct.storage);
  const limit = new AbortController();
  const seconds = extra.time_limit_seconds;
  const timer = setTimeout(() => limit.abort(new AppError('TIMEOUT', { what, seconds })), seconds * 1000);
  const signal = AbortSignal.any([call.signal, limit.signal]);
  try {
    return await work({ archive: new WalArchiveStore(storage, direct), parameters: direct, signal, log });
  } catch (error) {
    log(`${what}: ${describeError(error)}`);
    throw error;
  } finally {
    clearTimeout(timer);
    await storage.close?.();
  }
}
