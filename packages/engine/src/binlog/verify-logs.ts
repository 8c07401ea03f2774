/** Reads every log of an archive to its end: what was stored, every event and checksum, what its note says of it. */
import { toAppError } from '@backupx/contracts/errors';
import { numberOf } from './binlog-names.ts';
import type { BinlogStore, StoredBinlog } from './binlog-store.ts';
import { findBreak } from './find-break.ts';
import { describeGap, findLogGaps } from './find-log-gaps.ts';
import { type ReadOptions, readBinlog } from './read-binlog.ts';

export interface LogVerdict {
  readonly isWhole: boolean;
  readonly logs: number;
  readonly sizeBytes: number;
  /** In words, `bin.000002 to bin.000004`. */
  readonly missing: readonly string[];
  readonly damaged: readonly { readonly name: string; readonly reason: string }[];
}

/** `from`: the name of the first log that counts; null: all do. Throws BINLOG_CONFLICT, ARTIFACT_KEY_…, STORAGE_*. */
export async function verifyLogs(
  store: BinlogStore,
  { from, signal }: { readonly from: string | null; readonly signal: AbortSignal },
): Promise<LogVerdict> {
  const all = await store.all(signal);
  const logs = all.filter(({ name }) => from === null || numberOf(name) >= numberOf(from));
  const damaged: { name: string; reason: string }[] = [];
  for (const [index, log] of logs.entries()) {
    const before = logs[index - 1];
    const reason = before && findBreak(before, log);
    if (reason) damaged.push({ name: log.name, reason });
    try {
      await checkLog(store, log, { signal });
    } catch (error) {
      const failure = toAppError(error);
      const isAnswer = ['ARTIFACT_DAMAGED', 'BINLOG_DAMAGED', 'STORAGE_NOT_FOUND'].includes(failure.code);
      if (!isAnswer) throw error;
      damaged.push({ name: log.name, reason: failure.message });
    }
  }
  const missing = findLogGaps(logs).map(describeGap);
  if (from !== null && logs[0]?.name !== from) missing.unshift(from);
  const sizeBytes = logs.reduce((sum, log) => sum + log.sizeBytes, 0);
  return { isWhole: missing.length === 0 && damaged.length === 0, logs: logs.length, sizeBytes, missing, damaged };
}

/** Throws ARTIFACT_DAMAGED, BINLOG_DAMAGED, ARTIFACT_KEY_…, STORAGE_*. */
export async function checkLog(
  store: BinlogStore,
  log: StoredBinlog,
  {
    signal,
    ...more
  }: { readonly signal: AbortSignal } & Pick<ReadOptions, 'mustHavePosition' | 'onEvent' | 'onPosition'>,
): Promise<void> {
  await readBinlog(store.open(log, signal), { name: log.name, ...more });
}
