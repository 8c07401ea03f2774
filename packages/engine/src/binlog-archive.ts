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
import { type ArchiveSummary, listLogs } from './binlog/list-logs.ts';
import { receiveLogs } from './binlog/receive-logs.ts';
import { type LogPlace, parsePlace, type ReplayOptions, type ReplayResult, replayLogs } from './binlog/replay-logs.ts';
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

export interface ReplayWish extends Pick<ReplayOptions, 'untilTime' | 'database' | 'rewrites' | 'isDryRun'> {
  /** `bin.000041:328`; null: the inventory says. */
  readonly from: string | null;
  /** Path of the `inventory.json` of a backup. */
  readonly inventory: string | null;
  readonly untilPosition: string | null;
}

/** Throws INVALID_INPUT, BINLOG_*, DATABASE_*, ARTIFACT_*, STORAGE_*, CANCELLED. */
export function replayBinlogs(call: BinlogCall, wish: ReplayWish): Promise<ReplayResult> {
  const from = startOf(wish);
  const untilPlace = wish.untilPosition === null ? null : placeOf('--until-position', wish.untilPosition);
  return withArchive(call, 'replay', ({ store, settings, log }) =>
    replayLogs({
      ...{ store, from, untilPlace, log, untilTime: wish.untilTime, database: wish.database, rewrites: wish.rewrites },
      ...{ isDryRun: wish.isDryRun, signal: call.signal, target: targetConnection(settings) },
      tempDir: join(settings.spool_folder, 'tmp'),
    }),
  );
}

function startOf({ from, inventory }: ReplayWish): LogPlace {
  if ((from === null) === (inventory === null)) throw invalid('--from', 'give either this or --inventory');
  if (from !== null) return placeOf('--from', from);
  const { details } = parseInventory(readText(inventory ?? ''));
  const { binlogFile = '', binlogPosition = '' } = details;
  return placeOf('--inventory', `${binlogFile}:${binlogPosition}`);
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
  const storage = openDirectStorage(direct.storage);
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
    await storage.close?.();
  }
}
