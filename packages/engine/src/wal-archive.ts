/**
 * The archive of PostgreSQL's log: what `archive_command` and `restore_command` start for every segment. A door of its
 * own into this package, like the Backint agent: no job, no threads, no master, only a file and a storage.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { describeError } from './direct-storage/describe-error.ts';
import { type DirectParameters, readParameterFile } from './direct-storage/parameter-file.ts';
import { takeFolder } from './direct-storage/take-folder.ts';
import { withTimeLimit } from './direct-storage/with-time-limit.ts';
import { fieldsOfStorage, openDirectStorage, openLog } from './open-direct-storage.ts';
import { systemClock } from './ports/clock.ts';
import { type ExpireOptions, type Expiry, expireArchive } from './wal/expire-archive.ts';
import { fetchFile } from './wal/fetch-file.ts';
import { type ArchiveSummary, listArchive } from './wal/list-archive.ts';
import { pushFile } from './wal/push-file.ts';
import { receiveWal as followServer } from './wal/receive/receive-wal.ts';
import { ReceiverServer, type ServerAddress } from './wal/receive/receiver-server.ts';
import { Spool } from './wal/receive/spool.ts';
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
  const what = `push ${path}`;
  return withArchive(call, what, async ({ archive, seconds, log }) => {
    const push = (signal: AbortSignal) => pushFile(path, archive, { signal });
    const sizeBytes = await withTimeLimit({ what, seconds, signal: call.signal }, push);
    log(`push ${path}: ${sizeBytes === 0 ? 'was there' : `${sizeBytes} bytes stored`}`);
    return sizeBytes;
  });
}

export interface WantedFile {
  readonly name: string;
  readonly path: string;
  readonly isStandby: boolean;
}

/** `restore_command`. False: the archive is there, and does not hold this file. Throws like `pushWal`, and ARTIFACT_…. */
export function fetchWal(call: WalCall, file: WantedFile): Promise<boolean> {
  const what = `fetch ${file.name}`;
  return withArchive(call, what, async ({ archive, seconds, log }) => {
    const fetch = (signal: AbortSignal) => fetchFile(file, archive, { signal, isStandby: file.isStandby });
    const isThere = await withTimeLimit({ what, seconds, signal: call.signal }, fetch);
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

export interface ReceiveCall extends WalCall {
  readonly address: ServerAddress;
  readonly slot: string;
  /** A private folder, on a disk that keeps what is written to it. */
  readonly spoolFolder: string;
  readonly spoolLimitBytes: number;
  readonly isSlotCreated: boolean;
  readonly isGapAccepted: boolean;
  /** Ends it after what has arrived is archived; `signal` ends it at once. */
  readonly stop: AbortSignal;
  say(message: string): void;
}

/** Runs until it is told to stop, alone in its spool. Throws CONFIG_INVALID, INVALID_INPUT, WAL_…, DATABASE_…, and what lasts of a storage. */
export function receiveWal(call: ReceiveCall): Promise<void> {
  return withArchive(call, 'receive', async ({ archive, seconds, log }) => {
    const tell = (message: string) => {
      log(message);
      call.say(message);
    };
    const release = takeFolder(call.spoolFolder, '--spool');
    try {
      const spool = new Spool(call.spoolFolder);
      const server = new ReceiverServer(call.address, { slot: call.slot, tempDir: spool.at('secrets') });
      try {
        if (call.isSlotCreated) await server.createSlot(call.signal);
        await followServer({ ...call, archive, server, spool, secondsForFile: seconds, clock: systemClock, log: tell });
      } finally {
        server.close();
      }
    } finally {
      release();
    }
  });
}

/** Makes or drops the replication slot of a receiver. Throws DATABASE_…, CONFIG_INVALID, INVALID_INPUT. */
export async function changeSlot(
  action: 'create' | 'drop',
  { address, slot, signal }: Pick<ReceiveCall, 'address' | 'slot' | 'signal'>,
): Promise<void> {
  const tempDir = mkdtempSync(join(tmpdir(), 'backupx-slot-'));
  const server = new ReceiverServer(address, { slot, tempDir });
  try {
    if (action === 'create') await server.createSlot(signal);
    else await server.dropSlot(signal);
  } finally {
    server.close();
    rmSync(tempDir, { recursive: true, force: true });
  }
}

interface OpenArchive {
  readonly archive: WalArchiveStore;
  readonly parameters: DirectParameters;
  /** For one file. */
  readonly seconds: number;
  readonly log: (message: string) => void;
}

async function withArchive<T>(call: WalCall, what: string, work: (open: OpenArchive) => Promise<T>): Promise<T> {
  const { direct, extra } = readParameterFile(call.parameterFile, {
    extra: OWN_SHAPE,
    defaults: DEFAULTS,
    fieldsOf: fieldsOfStorage,
  });
  const log = openLog(direct.logFile);
  const storage = openDirectStorage(direct.storage, { idleSeconds: extra.time_limit_seconds });
  const archive = new WalArchiveStore(storage, direct);
  try {
    return await work({ archive, parameters: direct, seconds: extra.time_limit_seconds, log });
  } catch (error) {
    log(`${what}: ${describeError(error)}`);
    throw error;
  } finally {
    // What was done is done, also when the connections cannot be closed.
    await storage.close?.().catch((error: unknown) => log(`${what}: ${describeError(error)}`));
  }
}
