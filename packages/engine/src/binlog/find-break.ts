/** Whether two logs that follow each other by their numbers are of one server. */
import { nameWith, numberOf } from './binlog-names.ts';
import type { StoredBinlog } from './binlog-store.ts';

export type LogIdentity = Pick<StoredBinlog, 'name' | 'serverId' | 'gtids' | 'startGtids' | 'nextFile' | 'end'>;

/** Why `next` cannot come straight after `previous`, in words. Null: it can, or other logs are between them. */
export function findBreak(previous: LogIdentity, next: LogIdentity): string | null {
  if (next.name !== nameWith(previous.name, numberOf(previous.name) + 1)) return null;
  if (previous.nextFile !== null && previous.nextFile !== next.name) {
    return `after ${previous.name} comes ${previous.nextFile}, not ${next.name}`;
  }
  // The server writes down where each domain was when it begins a log; it may have forgotten one, but knows no other.
  const ends = new Map(previous.gtids.map((gtid) => [domainOf(gtid), gtid]));
  const other = next.startGtids.find((gtid) => ends.get(domainOf(gtid)) !== gtid);
  const isProven = next.startGtids.length > 0 && other === undefined;
  // A server may be given another number while it runs.
  if (isProven) return null;
  if (previous.serverId !== next.serverId) {
    return `${next.name} is of the server with the id ${next.serverId}, ${previous.name} of that with ${previous.serverId}`;
  }
  // A server that was killed in the middle of a transaction forgets it.
  if (other === undefined || previous.end === 'open') return null;
  return `${next.name} begins behind the transaction ${other}, ${previous.name} ends with ${ends.get(domainOf(other)) ?? 'none of its domain'}`;
}

const domainOf = (gtid: string): string => gtid.slice(0, gtid.indexOf('-'));
