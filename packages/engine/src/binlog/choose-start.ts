/** With which log of the server a receiver goes on, so that nothing is left out. */
import { AppError } from '@backupx/contracts/errors';
import { nameWith, numberOf, parseBinlogName } from './binlog-names.ts';
import type { StoredBinlog } from './binlog-store.ts';
import { describeGap } from './find-log-gaps.ts';

/** A log the server still has. */
export interface ServerLog {
  readonly name: string;
  readonly sizeBytes: number;
}

export interface StartOptions {
  readonly onServer: readonly ServerLog[];
  readonly archived: readonly StoredBinlog[];
  readonly partial: StoredBinlog | null;
  /** Goes on behind what is lost. */
  readonly isGapAccepted: boolean;
}

/** Throws BINLOG_GAP, BINLOG_CONFLICT. */
export function chooseStart({ onServer, archived, partial, isGapAccepted }: StartOptions): string {
  const [oldest] = onServer;
  const newest = onServer.at(-1);
  if (!oldest || !newest) throw new AppError('BINLOG_CONFLICT', { reason: 'the server has no binary log' });
  const last = archived.at(-1);
  assertSameSeries(oldest.name, last ?? partial);
  if (last) assertSameLog(onServer, last);
  const expected = last ? numberOf(last.name) + 1 : partial ? numberOf(partial.name) : null;
  if (expected === null) return oldest.name;
  if (expected > numberOf(newest.name)) {
    const reason = `the archive ends with ${(last ?? partial)?.name}, the server's newest log is ${newest.name}: its numbers began anew`;
    throw new AppError('BINLOG_CONFLICT', { reason });
  }
  if (expected >= numberOf(oldest.name)) return nameWith(oldest.name, expected);
  if (isGapAccepted) return oldest.name;
  const lost = { first: nameWith(oldest.name, expected), last: nameWith(oldest.name, numberOf(oldest.name) - 1) };
  throw new AppError('BINLOG_GAP', { logs: describeGap(lost) });
}

function assertSameSeries(name: string, stored: StoredBinlog | null): void {
  if (!stored || parseBinlogName(name)?.base === parseBinlogName(stored.name)?.base) return;
  throw new AppError('BINLOG_CONFLICT', { reason: `the archive has ${stored.name}, the server ${name}` });
}

/** The same name, yet another log: another server, or numbers that began anew (RESET MASTER). */
function assertSameLog(onServer: readonly ServerLog[], stored: StoredBinlog): void {
  const same = onServer.find(({ name }) => name === stored.name);
  if (!same || same.sizeBytes === stored.sizeBytes) return;
  const reason = `${stored.name} has ${stored.sizeBytes} bytes in the archive and ${same.sizeBytes} on the server`;
  throw new AppError('BINLOG_CONFLICT', { reason });
}
