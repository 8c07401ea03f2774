/**
 * The archive of the binary log of MySQL and MariaDB, for restores to any moment. A door of its own into this package,
 * like the archive of PostgreSQL's log: no job, no threads, no master, only a server and a storage.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '@backupx/contracts/errors';
import {
  BINLOG_SECRETS,
  type BinlogSettings,
  binlogShape,
  replicaIdOf,
  sourceConnection,
  targetConnection,
} from './binlog/binlog-settings.ts';
import { BinlogStore } from './binlog/binlog-store.ts';
import { type ExpireLogsOptions, expireLogs, type LogExpiry } from './binlog/expire-logs.ts';
import type { LogPlace } from './binlog/find-place.ts';
import { type ArchiveSummary, listLogs } from './binlog/list-logs.ts';
import { receiveLogs } from './binlog/receive-logs.ts';
import { parsePlace, type ReplayOptions, type ReplayResult, replayLogs } from './binlog/replay-logs.ts';
import { SpoolFolder } from './binlog/spool-folder.ts';
import { type LogVerdict, verifyLogs } from './binlog/verify-logs.ts';
import { describeError } from './direct-storage/describe-error.ts';
import { readParameterFile } from './direct-storage/parameter-file.ts';
import { fieldsOfStorage, openDirectStorage, openLog } from './open-direct-storage.ts';
import { systemClock } from './ports/clock.ts';
import { parseInventory } from './ports/database-inventory.ts';

const DEFAULTS = { prefix: 'binlog', parallelism: 1 };
/** So long may what has arrived take to be stored after the word to stop. */
const LAST_STORE_MS = 60_000;

export interface BinlogCall {
  readonly parameterFile: string;
  readonly signal: AbortSignal;
  /** For people: what happens. */
  say(message: string): void;
}

/** Follows the server until the signal. Throws CONFIG_INVALID, BINLOG_*, DATABASE_*, STORAGE_*. */
export function receiveBinlogs(call: BinlogCall, options: { readonly isGapAccepted: boolean }): Promise<void> {
  return withArchive(call, 'receive', async ({ store, settings, log }) => {
    const spool = SpoolFolder.take(settings.spool_folder);
    const late = new AbortController();
    const timer = { id: undefined as NodeJS.Timeout | undefined };
    const onStop = () => {
      timer.id = setTimeout(() => late.abort(), LAST_STORE_MS);
    };
    call.signal.addEventListener('abort', onStop, { once: true });
    try {
      await receiveLogs({
        ...{ store, spool, log, clock: systemClock, stop: call.signal, signal: late.signal },
        connection: sourceConnection(settings),
        replicaId: replicaIdOf(settings),
        partialIntervalMs: settings.partial_interval_seconds * 1000,
        spoolLimitBytes: settings.spool_limit_bytes,
        isGapAccepted: options.isGapAccepted,
      });
    } finally {
      call.signal.removeEventListener('abort', onStop);
      clearTimeout(timer.id);
      spool.release();
    }
  });
}

/** Throws CONFIG_INVALID, BINLOG_CONFLICT, ARTIFACT_DAMAGED, STORAGE_*. */
export function listBinlogs(call: BinlogCall): Promise<ArchiveSummary> {
  return withArchive(call, 'list', ({ store }) => listLogs(store, call.signal));
}

/** Throws like `listBinlogs`; what is wrong with a log is a part of the answer. */
export function verifyBinlogs(call: BinlogCall, options: { readonly from: string | null }): Promise<LogVerdict> {
  return withArchive(call, 'verify', ({ store }) => verifyLogs(store, { ...options, signal: call.signal }));
}

type PassedOn = 'untilTime' | 'database' | 'rewrites' | 'isDryRun' | 'isEndAccepted';

export interface ExpireWish extends Pick<ExpireLogsOptions, 'before' | 'isDeleting'> {
  /** Paths of the `inventory.json` of all backups that are kept. */
  readonly inventories: readonly string[];
}

/** Throws like `listBinlogs`, and INVALID_INPUT, BINLOG_START_MISSING. */
export function expireBinlogs(call: BinlogCall, wish: ExpireWish): Promise<LogExpiry> {
  const { before, isDeleting } = wish;
  const backups = wish.inventories.map(placeOfBackup);
  return withArchive(call, 'expire', async ({ store, log }) => {
    const expiry = await expireLogs(store, { before, backups, isDeleting, signal: call.signal });
    if (expiry.isDeleted) log(`${expiry.logs.length} logs before ${expiry.keptFrom} deleted`);
    return expiry;
  });
}

export interface ReplayWish extends Pick<ReplayOptions, PassedOn> {
  /** `bin.000041:328`; null: the inventory says. */
  readonly from: string | null;
  /** Path of the `inventory.json` of a backup. */
  readonly inventory: string | null;
  readonly untilPosition: string | null;
  /** Replays under another name into the very server the logs are of. */
  readonly isSameServerAccepted: boolean;
}

/** Throws INVALID_INPUT, BINLOG_*, DATABASE_*, ARTIFACT_*, STORAGE_*, CANCELLED. */
export function replayBinlogs(call: BinlogCall, wish: ReplayWish): Promise<ReplayResult> {
  const from = startOf(wish);
  const untilPlace = wish.untilPosition === null ? null : placeOf('--until-position', wish.untilPosition);
  return withArchive(call, 'replay', ({ store, settings, log }) => {
    assertTargetMeant(settings, wish);
    const { untilTime, database, rewrites, isDryRun, isEndAccepted } = wish;
    return replayLogs({
      ...{ store, from, untilPlace, log, untilTime, database, rewrites, isDryRun, isEndAccepted },
      ...{ signal: call.signal, target: targetConnection(settings), tempDir: join(settings.spool_folder, 'tmp') },
    });
  });
}

/** Another name usually means another server: the one that is followed must not be changed for want of a word. */
function assertTargetMeant(settings: BinlogSettings, { rewrites, isSameServerAccepted }: ReplayWish): void {
  const wrong = rewrites.find((text) => !/^.+->.+$/.test(text));
  if (wrong !== undefined) throw invalid('--rewrite-db', 'must look like old->new');
  const isNamed = settings.target_host !== undefined || settings.target_socket !== undefined;
  if (rewrites.length === 0 || isNamed || isSameServerAccepted) return;
  const message =
    'needs target_host or target_socket in the parameter file, or --same-server for the server of the logs';
  throw invalid('--rewrite-db', message);
}

function startOf({ from, inventory }: ReplayWish): LogPlace {
  if ((from === null) === (inventory === null)) throw invalid('--from', 'give either this or --inventory');
  if (from !== null) return placeOf('--from', from);
  return placeOfBackup(inventory ?? '');
}

function placeOfBackup(inventory: string): LogPlace {
  const { details } = parseInventory(readText(inventory));
  const { binlogFile = '', binlogPosition = '', gtid } = details;
  const place = parsePlace(`${binlogFile}:${binlogPosition}`);
  if (!place) throw invalid('--inventory', `${inventory} names no place in a binary log`);
  return { ...place, gtid };
}

function placeOf(flag: string, text: string): LogPlace {
  const place = parsePlace(text);
  if (!place) throw invalid(flag, 'must name a place such as bin.000041:328');
  return place;
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw invalid('--inventory', `cannot be read: ${(error as Error).message}`);
  }
}

function invalid(path: string, message: string): AppError {
  return new AppError('INVALID_INPUT', {}, { fields: [{ path, code: 'invalid', message }] });
}

interface OpenArchive {
  readonly store: BinlogStore;
  readonly settings: BinlogSettings;
  log(message: string): void;
}

async function withArchive<T>(call: BinlogCall, what: string, work: (open: OpenArchive) => Promise<T>): Promise<T> {
  const { direct, extra } = readParameterFile(call.parameterFile, {
    ...{ extra: binlogShape, defaults: DEFAULTS, fieldsOf: fieldsOfStorage },
    secrets: BINLOG_SECRETS,
  });
  const write = openLog(direct.logFile);
  const storage = openDirectStorage(direct.storage, { idleSeconds: extra.time_limit_seconds });
  const log = (message: string) => {
    write(`${what}: ${message}`);
    call.say(message);
  };
  try {
    return await work({ store: new BinlogStore(storage, direct), settings: extra, log });
  } catch (error) {
    write(`${what}: ${describeError(error)}`);
    throw error;
  } finally {
    // What was done is done, also when the connections cannot be closed.
    await storage.close?.().catch((error: unknown) => write(`${what}: ${describeError(error)}`));
  }
}
