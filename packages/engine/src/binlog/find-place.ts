/** The log in which a backup was made. Logs of another server may be called the same; on MariaDB their GTIDs are not. */
import { AppError } from '@backupx/contracts/errors';
import type { StoredBinlog } from './binlog-store.ts';

/** A place in the logs. */
export interface LogPlace {
  readonly file: string;
  readonly position: number;
  /** Behind which transactions it is, one of each domain, when a backup has noted that: `0-1-5,1-1-9`. */
  readonly gtid?: string | undefined;
}

/** By what is noted of the logs, without reading them. Throws BINLOG_START_MISSING. */
export function findPlace(place: LogPlace, all: readonly StoredBinlog[]): StoredBinlog {
  const { file, position, gtid = '' } = place;
  const log = all.find(({ name }) => name === file);
  if (!log || position > log.sizeBytes) {
    const has = all.length === 0 ? 'nothing' : `${all[0]?.name} to ${all.at(-1)?.name}`;
    throw new AppError('BINLOG_START_MISSING', { place: `${file}:${position}`, has });
  }
  if (gtid.split(',').some((one) => isOfAnother(one, log))) {
    const has = `${file} with the transactions ${log.startGtids.join(',') || 'from the beginning'} to ${log.gtids.join(',')}`;
    throw otherServer(place, has);
  }
  return log;
}

/** `found`: the last transaction of each domain before that place in the log. Throws BINLOG_START_MISSING. */
export function assertSamePlace(place: LogPlace, found: readonly string[]): void {
  const wanted = (place.gtid ?? '').split(',').map(parse);
  const isOther = (one: Gtid) => wanted.some((two) => two?.domain === one.domain && !isEqual(one, two));
  const other = found.find((gtid) => {
    const one = parse(gtid);
    return one !== null && isOther(one);
  });
  if (other !== undefined) throw otherServer(place, `there the transaction ${other}`);
}

function otherServer({ file, position, gtid = '' }: LogPlace, has: string): AppError {
  return new AppError('BINLOG_START_MISSING', { place: `${file}:${position} behind the transaction ${gtid}`, has });
}

/** Domains the log does not know say nothing: a replica may not log what it repeats. */
function isOfAnother(gtid: string, { startGtids, gtids }: StoredBinlog): boolean {
  const wanted = parse(gtid);
  if (!wanted) return false;
  const [start, end] = [startGtids, gtids].map((list) => list.map(parse).find((one) => one?.domain === wanted.domain));
  if (start && (wanted.sequence < start.sequence || isTwin(wanted, start))) return true;
  return end !== undefined && end !== null && (wanted.sequence > end.sequence || isTwin(wanted, end));
}

interface Gtid {
  readonly domain: string;
  readonly server: string;
  readonly sequence: bigint;
}

/** Null for those of MySQL. */
function parse(text: string): Gtid | null {
  const [, domain = '', server = '', sequence = ''] = /^(\d+)-(\d+)-(\d+)$/.exec(text.trim()) ?? [];
  return sequence === '' ? null : { domain, server, sequence: BigInt(sequence) };
}

const isEqual = (one: Gtid, other: Gtid): boolean => one.sequence === other.sequence && one.server === other.server;

/** The same number given by two servers. */
const isTwin = (one: Gtid, other: Gtid): boolean => one.sequence === other.sequence && one.server !== other.server;
