/**
 * Whether the segment that an archive lacks is in `pg_wal`, where a server looks next: a base backup brings its first
 * segments along, and an archive may begin behind them.
 */
import { type FileHandle, open } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { checkSegment, WAL_HEADER_BYTES } from './wal-header.ts';
import type { WalName } from './wal-names.ts';

/** Headers of pages behind the first; of the first one it is that of the segment. */
const PAGE_HEADER_BYTES = 24;
const PAGE_SIZE_AT = 36;
const SWITCH_RECORD_BYTES = 24;
/** `XLOG_SWITCH` of the resource manager `RM_XLOG_ID`: nothing follows it in its segment. */
const SWITCH = { info: 0x40, infoAt: 16, resourceManager: 0, resourceManagerAt: 17 } as const;
const READ_BYTES = 1024 * 1024;

export interface Beside {
  readonly wal: WalName;
  /** Where the server wants the file: beside it is what it has itself. */
  readonly path: string;
  readonly systemIdentifier: string;
}

/**
 * Only what is whole: of the right size, of this cluster and this place in the log (files kept for later use are of
 * another), and written to its end. In one that was still being written the recovery would end without a word, although
 * the archive goes on behind it. What cannot be read is not there.
 */
export async function isSegmentBeside({ wal, path, systemIdentifier }: Beside): Promise<boolean> {
  const file = await open(join(dirname(resolve(path)), wal.name), 'r').catch(() => null);
  if (!file) return false;
  try {
    const start = await readAt(file, 0, WAL_HEADER_BYTES);
    const header = checkSegment(wal, { start, sizeBytes: (await file.stat()).size });
    if (header.systemIdentifier !== systemIdentifier) return false;
    const segment = { file, start, pageBytes: start.readUInt32LE(PAGE_SIZE_AT), sizeBytes: header.segmentBytes };
    if (!isPageSize(segment.pageBytes)) return false;
    return (await isLastPageWritten(segment, header.pageAddress)) || (await endsWithSwitch(segment));
  } catch {
    return false;
  } finally {
    await file.close();
  }
}

interface OpenSegment {
  readonly file: FileHandle;
  readonly start: Buffer;
  readonly pageBytes: number;
  readonly sizeBytes: number;
}

/** 1 to 64 KiB, a power of two. */
function isPageSize(bytes: number): boolean {
  return bytes >= 2 ** 10 && bytes <= 2 ** 16 && (bytes & (bytes - 1)) === 0;
}

/** Pages are written in order, so the last one has a header of its own place only in a segment that is full. */
async function isLastPageWritten({ file, start, pageBytes, sizeBytes }: OpenSegment, address: bigint) {
  const at = sizeBytes - pageBytes;
  const page = await readAt(file, at, pageBytes);
  const isOurs = page.readUInt16LE(0) === start.readUInt16LE(0) && page.readBigUInt64LE(8) === address + BigInt(at);
  return isOurs && page.subarray(PAGE_HEADER_BYTES).some((byte) => byte !== 0);
}

/** One that was ended early has nothing but zeros behind the record that says so. */
async function endsWithSwitch(segment: OpenSegment): Promise<boolean> {
  const { file, pageBytes } = segment;
  const end = await findEnd(segment);
  const lastPage = Math.floor((end - 1) / pageBytes);
  // The record may have begun on the page before.
  const firstPage = Math.max(0, lastPage - 1);
  const bytes = await readAt(file, firstPage * pageBytes, end - firstPage * pageBytes);
  const parts: Buffer[] = [];
  for (let page = firstPage; page <= lastPage; page++) {
    const at = (page - firstPage) * pageBytes;
    parts.push(bytes.subarray(at + (page === 0 ? WAL_HEADER_BYTES : PAGE_HEADER_BYTES), at + pageBytes));
  }
  const record = Buffer.concat(parts).subarray(-SWITCH_RECORD_BYTES);
  return (
    record.length === SWITCH_RECORD_BYTES &&
    record.readUInt32LE(0) === SWITCH_RECORD_BYTES &&
    (record[SWITCH.infoAt] ?? 0) >> 4 === SWITCH.info >> 4 &&
    record[SWITCH.resourceManagerAt] === SWITCH.resourceManager
  );
}

/** Where the zeros begin; records end at multiples of eight. */
async function findEnd({ file, sizeBytes }: OpenSegment): Promise<number> {
  for (let at = sizeBytes; at > 0; ) {
    const length = Math.min(READ_BYTES, at);
    at -= length;
    const last = (await readAt(file, at, length)).findLastIndex((byte) => byte !== 0);
    if (last >= 0) return Math.ceil((at + last + 1) / 8) * 8;
  }
  return 0;
}

/** Throws when there is not as much. */
async function readAt(file: FileHandle, at: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  const { bytesRead } = await file.read(bytes, 0, length, at);
  if (bytesRead < length) throw new Error(`${bytesRead} of ${length} bytes`);
  return bytes;
}
