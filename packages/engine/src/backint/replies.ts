/** The lines that answer a Backint call. */
import { quoteWord, type Word } from './words.ts';

/** The newest version of the protocol that is spoken here, and the one that is assumed when the caller does not say. */
export const PROTOCOL_VERSION = '1.50';
const ASSUMED_VERSION = '1.04';

/** Two versions as numbers: `1.5` is below `1.50`. */
function isBelow(version: string, other: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [otherMajor = 0, otherMinor = 0] = other.split('.').map(Number);
  return major < otherMajor || (major === otherMajor && minor < otherMinor);
}

/** The version a call is answered in: the caller's, at most ours. */
export function answeredVersion(asked: string | null): string {
  const version = asked ?? ASSUMED_VERSION;
  return isBelow(PROTOCOL_VERSION, version) ? PROTOCOL_VERSION : version;
}

/** First line of every answer. */
export function softwareLine(version: string, agent: string): string {
  return `#SOFTWAREID "backint ${version}" ${quoteWord(agent)}`;
}

export function savedLine(ebid: string, file: Word, sizeBytes: number): string {
  return `#SAVED ${quoteWord(ebid)} ${file.raw} ${sizeBytes}`;
}

/** A line about one asked item: keyword, then id and file as far as they are known. The name goes back as it came. */
export function itemLine(keyword: string, ebid: string | null, file: Word | null): string {
  return [keyword, ebid === null ? null : quoteWord(ebid), file?.raw ?? null].filter((part) => part !== null).join(' ');
}

/** A stored backup; from 1.50 on with its time. */
export function backupLine(version: string, backup: { ebid: string; file: string; createdAt: Date }): string {
  const time = isBelow(version, '1.50') ? '' : ` "${backup.createdAt.toISOString()}"`;
  return `#BACKUP ${quoteWord(backup.ebid)} ${quoteWord(backup.file)}${time}`;
}
