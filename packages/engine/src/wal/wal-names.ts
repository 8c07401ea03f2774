/**
 * Names of the files of PostgreSQL's log. A segment is called by its timeline and its place in the log, each eight
 * hexadecimal digits: `TTTTTTTT LLLLLLLL SSSSSSSS`, where the last counts the segments within 4 GiB, so what follows a
 * name depends on the size of segments.
 */

export type WalKind = 'segment' | 'partial' | 'backup' | 'history';

export interface WalName {
  readonly name: string;
  readonly kind: WalKind;
  readonly timeline: number;
}

const FORMS: readonly (readonly [WalKind, RegExp])[] = [
  ['segment', /^[0-9A-F]{24}$/],
  ['partial', /^[0-9A-F]{24}\.partial$/],
  ['backup', /^[0-9A-F]{24}\.[0-9A-F]{8}\.backup$/],
  ['history', /^[0-9A-F]{8}\.history$/],
];
const LOG_BYTES = 2 ** 32;

/** Null for what is no file of a log. */
export function parseWalName(name: string): WalName | null {
  const form = FORMS.find(([, pattern]) => pattern.test(name));
  const timeline = Number.parseInt(name.slice(0, 8), 16);
  return form && timeline > 0 ? { name, kind: form[0], timeline } : null;
}

/** Which segment of the log a name (of a segment, a partial one or the label of a backup) is about; the first is 0. */
export function segmentNumber(name: string, segmentBytes: number): number {
  const log = Number.parseInt(name.slice(8, 16), 16);
  return log * (LOG_BYTES / segmentBytes) + Number.parseInt(name.slice(16, 24), 16);
}

export function segmentName(timeline: number, segment: number, segmentBytes: number): string {
  const perLog = LOG_BYTES / segmentBytes;
  return [timeline, Math.floor(segment / perLog), segment % perLog]
    .map((part) => part.toString(16).toUpperCase().padStart(8, '0'))
    .join('');
}

/** A place in the log as PostgreSQL writes it, `16/B374D848`, in bytes. Null for anything else. */
export function parseLsn(text: string): bigint | null {
  const parts = /^([0-9A-F]{1,8})\/([0-9A-F]{1,8})$/i.exec(text);
  return parts ? (BigInt(`0x${parts[1]}`) << 32n) | BigInt(`0x${parts[2]}`) : null;
}

/** The segment that holds a place in the log. */
export function segmentOfLsn(lsn: bigint, segmentBytes: number): number {
  return Number(lsn / BigInt(segmentBytes));
}
