/** The header of the first page of a segment: which cluster wrote it, and where in the log it belongs. */
import { AppError } from '@backupx/contracts/errors';
import { segmentNumber, type WalName } from './wal-names.ts';

/** Bytes to be read for it. */
export const WAL_HEADER_BYTES = 40;
const LONG_HEADER = 0x0002;
/** First and last known number of a format; each major version has its own, and they rise. PostgreSQL 10 to 18. */
const OLDEST_MAGIC = 0xd097;
const MAGIC_FAMILY = 0xd;

export interface WalHeader {
  readonly timeline: number;
  /** Place in the log of its first byte. */
  readonly pageAddress: bigint;
  /** Tells clusters apart; as decimal digits, as pg_controldata writes it. */
  readonly systemIdentifier: string;
  readonly segmentBytes: number;
}

/** Null when these are not the first bytes of a segment (of PostgreSQL 10 or later). */
export function readWalHeader(bytes: Uint8Array): WalHeader | null {
  if (bytes.byteLength < WAL_HEADER_BYTES) return null;
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const magic = view.readUInt16LE(0);
  const isLong = (view.readUInt16LE(2) & LONG_HEADER) !== 0;
  const segmentBytes = view.readUInt32LE(32);
  if (magic >> 12 !== MAGIC_FAMILY || magic < OLDEST_MAGIC || !isLong || !isSegmentSize(segmentBytes)) return null;
  return {
    timeline: view.readUInt32LE(4),
    pageAddress: view.readBigUInt64LE(8),
    systemIdentifier: view.readBigUInt64LE(24).toString(),
    segmentBytes,
  };
}

/** 1 MiB to 1 GiB, a power of two. */
export function isSegmentSize(bytes: number): boolean {
  return bytes >= 2 ** 20 && bytes <= 2 ** 30 && (bytes & (bytes - 1)) === 0;
}

/** The header of a whole segment (or a partial one, filled up with zeros) of that name. Throws WAL_FILE_REFUSED. */
export function checkSegment({ name }: WalName, file: { start: Uint8Array; sizeBytes: number }): WalHeader {
  const header = readWalHeader(file.start);
  const refuse = (reason: string) => new AppError('WAL_FILE_REFUSED', { name, reason });
  if (!header) throw refuse('it does not begin like a segment of the log');
  const { segmentBytes, pageAddress, timeline } = header;
  if (file.sizeBytes !== segmentBytes) throw refuse(`it has ${file.sizeBytes} bytes, a segment has ${segmentBytes}`);
  const place = BigInt(segmentNumber(name, segmentBytes)) * BigInt(segmentBytes);
  if (pageAddress !== place) throw refuse('its contents belong to another place in the log');
  // A timeline begins with a copy of the segment in which it branched off.
  if (timeline === 0 || timeline > Number.parseInt(name.slice(0, 8), 16)) {
    throw refuse(`its contents belong to timeline ${timeline}`);
  }
  return header;
}
