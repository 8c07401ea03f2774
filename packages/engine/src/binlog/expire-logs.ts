/**
 * Deletes what no backup needs any more: all logs before the one in which the oldest backup that is kept was made. The
 * oldest go first, so a kill leaves no gap in what stays.
 */
import { AppError } from '@backupx/contracts/errors';
import { nameWith, numberOf, parseBinlogName } from './binlog-names.ts';
import type { BinlogStore, StoredBinlog } from './binlog-store.ts';
import { assertSamePlace, findPlace, type LogPlace } from './find-place.ts';
import { checkLog } from './verify-logs.ts';

export interface ExpireLogsOptions {
  readonly signal: AbortSignal;
  /** What comes before this log goes; null: `backups` say. */
  readonly before: string | null;
  /** Where the backups that are kept were made. */
  readonly backups: readonly LogPlace[];
  /** False: only tells. */
  readonly isDeleting: boolean;
}

export interface LogExpiry {
  /** The first log that stays. */
  readonly keptFrom: string;
  /** Names of those that go, oldest first. */
  readonly logs: readonly string[];
  /** As they are stored. */
  readonly sizeBytes: number;
  readonly isDeleted: boolean;
}

/** Throws INVALID_INPUT, BINLOG_*, ARTIFACT_*, STORAGE_*. */
export async function expireLogs(store: BinlogStore, options: ExpireLogsOptions): Promise<LogExpiry> {
  const { signal, isDeleting } = options;
  const whole = await store.list(signal);
  const newest = whole.at(-1);
  if (!newest) throw new AppError('BINLOG_START_MISSING', { place: 'a whole log', has: 'none' });
  // The newest one tells a receiver where to go on.
  const cut = Math.min(await chooseCut(store, options), numberOf(newest.name));
  const going = await store.objectsBefore(cut, signal);
  if (isDeleting) for (const { key } of going) await store.delete(key, signal);
  return {
    keptFrom: nameWith(newest.name, cut),
    logs: [...new Set(going.map(({ name }) => name))],
    sizeBytes: going.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    isDeleted: isDeleting,
  };
}

async function chooseCut(store: BinlogStore, { before, backups, signal }: ExpireLogsOptions): Promise<number> {
  if ((before === null) === (backups.length === 0)) throw invalid('--before', 'give either this or --inventory');
  const all = await store.all(signal);
  if (before !== null) return numberOf(checkName(before, all));
  // A backup of another server, or one that has lost its logs, says nothing about what may go.
  for (const place of backups) findPlace(place, all);
  const [oldest] = backups.toSorted((a, b) => numberOf(a.file) - numberOf(b.file) || a.position - b.position);
  if (oldest) await provePlace(store, { place: oldest, log: findPlace(oldest, all) }, signal);
  return numberOf(oldest?.file ?? '');
}

function checkName(before: string, all: readonly StoredBinlog[]): string {
  const [first, last] = [all[0], all.at(-1)];
  if (parseBinlogName(before)?.base !== parseBinlogName(first?.name ?? '')?.base || !last) {
    throw invalid('--before', `is no log of this archive; they are called like ${first?.name}`);
  }
  if (numberOf(before) > numberOf(last.name)) throw invalid('--before', `is behind the newest log, ${last.name}`);
  return before;
}

/** Reads the log that decides what goes, as far as there is a key: that of another server has another event there. */
async function provePlace(
  store: BinlogStore,
  { place, log }: { readonly place: LogPlace; readonly log: StoredBinlog },
  signal: AbortSignal,
): Promise<void> {
  if (log.isEncrypted && store.settings.identities.length === 0) return;
  const onPosition = (gtids: readonly string[]) => assertSamePlace(place, gtids);
  await checkLog(store, log, { signal, mustHavePosition: place.position, onPosition });
}

function invalid(path: string, message: string): AppError {
  return new AppError('INVALID_INPUT', {}, { fields: [{ path, code: 'invalid', message }] });
}
