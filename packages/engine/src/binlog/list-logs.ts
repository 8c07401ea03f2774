import { byNumber } from './binlog-names.ts';
import type { BinlogStore, StoredBinlog } from './binlog-store.ts';
import { describeGap, findLogGaps } from './find-log-gaps.ts';
import { timeText } from './log-time.ts';

/** One log, times as text. */
export interface LogSummary {
  readonly name: string;
  readonly sizeBytes: number;
  readonly firstAt: string;
  readonly lastAt: string;
  readonly transactions: number;
  /** Where the server was at its end. */
  readonly gtids: readonly string[];
  readonly isPartial: boolean;
}

export interface ArchiveSummary {
  readonly logs: readonly LogSummary[];
  /** In words. */
  readonly missing: readonly string[];
}

/** Throws BINLOG_CONFLICT, ARTIFACT_DAMAGED, STORAGE_*. */
export async function listLogs(store: BinlogStore, signal: AbortSignal): Promise<ArchiveSummary> {
  const logs = await store.list(signal);
  const partial = await store.partial(signal);
  const shown = partial ? [...logs, partial].sort(byNumber) : logs;
  return { logs: shown.map(summarize), missing: findLogGaps(await store.all(signal)).map(describeGap) };
}

function summarize(log: StoredBinlog): LogSummary {
  const { name, sizeBytes, transactions, gtids, isPartial } = log;
  const times = { firstAt: timeText(log.firstAt), lastAt: timeText(log.lastAt) };
  return { name, sizeBytes, ...times, transactions, gtids, isPartial };
}
