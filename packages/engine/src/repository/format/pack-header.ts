/**
 * The end of a pack file (internal/repository/pack/pack.go): a sealed list of its blobs in order, then the length of
 * that list in four bytes. So a lost index can be made anew from the packs alone.
 */
import { AppError } from '@backupx/contracts/errors';
import { ID_BYTES } from './blob-id.ts';
import { SEAL_OVERHEAD, type SealedBox } from './sealed-box.ts';

/** One blob of a pack. */
export interface PackEntry {
  readonly type: 'data' | 'tree';
  readonly id: Uint8Array;
  readonly offset: number;
  /** Sealed length. */
  readonly storedLength: number;
  /** Length before compression; 0: not compressed. */
  readonly plainLength: number;
}

/** Type, sealed length, id. */
const PLAIN_ENTRY_BYTES = 1 + 4 + ID_BYTES;
/** With the length before compression in between. */
const COMPRESSED_ENTRY_BYTES = PLAIN_ENTRY_BYTES + 4;
const LENGTH_BYTES = 4;
/** The largest header that restic accepts. */
const MAX_HEADER_BYTES = 16 * 1024 * 1024;

function entryBytes(entry: Pick<PackEntry, 'plainLength'>): number {
  return entry.plainLength === 0 ? PLAIN_ENTRY_BYTES : COMPRESSED_ENTRY_BYTES;
}

/** Bytes that the header of these blobs takes up at the end of a pack. */
export function headerSize(entries: Iterable<Pick<PackEntry, 'plainLength'>>): number {
  let bytes = SEAL_OVERHEAD + LENGTH_BYTES;
  for (const entry of entries) bytes += entryBytes(entry);
  return bytes;
}

/** Sealed header and its length: what comes after the last blob. Goes through the entries twice. */
export function packHeader(box: SealedBox, entries: Iterable<PackEntry>): Buffer {
  const plain = Buffer.alloc(headerSize(entries) - SEAL_OVERHEAD - LENGTH_BYTES);
  let at = 0;
  for (const entry of entries) {
    const isCompressed = entry.plainLength !== 0;
    at = plain.writeUInt8((entry.type === 'tree' ? 1 : 0) + (isCompressed ? 2 : 0), at);
    at = plain.writeUInt32LE(entry.storedLength, at);
    if (isCompressed) at = plain.writeUInt32LE(entry.plainLength, at);
    plain.set(entry.id, at);
    at += ID_BYTES;
  }
  const header = Buffer.alloc(plain.byteLength + SEAL_OVERHEAD + LENGTH_BYTES);
  const sealedBytes = box.sealInto(plain, header, 0);
  header.writeUInt32LE(sealedBytes, sealedBytes);
  return header;
}

/**
 * How many bytes at the end of a pack are its header, the length in the last four included. `tail`: any end of the
 * pack of at least four bytes. Throws REPOSITORY_DAMAGED when that length cannot be right.
 */
export function headerBytesAtEnd(tail: Uint8Array, packSize: number): number {
  if (tail.byteLength < LENGTH_BYTES) throw damaged(`it has only ${tail.byteLength} bytes`);
  const sealedBytes = Buffer.from(tail.buffer, tail.byteOffset, tail.byteLength).readUInt32LE(
    tail.byteLength - LENGTH_BYTES,
  );
  const isPossible = sealedBytes >= SEAL_OVERHEAD + PLAIN_ENTRY_BYTES && sealedBytes <= MAX_HEADER_BYTES;
  if (!isPossible || sealedBytes + LENGTH_BYTES > packSize)
    throw damaged(`its header cannot have ${sealedBytes} bytes`);
  return sealedBytes + LENGTH_BYTES;
}

/**
 * The blobs of a pack of `packSize` bytes, in order. `tail` is an end of it that holds the whole header. Throws
 * REPOSITORY_DAMAGED when it does not, when it is not authentic, or when the blobs do not fill the pack.
 */
export function parsePackHeader(box: SealedBox, tail: Uint8Array, packSize: number): PackEntry[] {
  return [...packHeaderEntries(box, tail, { packSize })];
}

/**
 * The same one after the other: a pack of small files has 100,000. What is damaged may show after the last. With `memory`
 * the list is opened there, and stays valid until that is used again.
 */
export function* packHeaderEntries(
  box: SealedBox,
  tail: Uint8Array,
  { packSize, memory }: { readonly packSize: number; readonly memory?: { take(sizeBytes: number): Buffer } },
): Generator<PackEntry> {
  const headerBytes = headerBytesAtEnd(tail, packSize);
  if (headerBytes > tail.byteLength) throw damaged('its header is cut off');
  const sealed = tail.subarray(tail.byteLength - headerBytes, tail.byteLength - LENGTH_BYTES);
  const header = memory ? memory.take(sealed.byteLength - SEAL_OVERHEAD) : box.open(sealed);
  if (memory) box.openInto(sealed, header);
  let offset = 0;
  for (let at = 0; at < header.byteLength; ) {
    const entry = readEntry(header, at, offset);
    yield entry;
    at += entryBytes(entry);
    offset += entry.storedLength;
  }
  if (offset + headerBytes !== packSize)
    throw damaged(`its blobs make ${offset + headerBytes} bytes, it has ${packSize}`);
}

function readEntry(header: Buffer, at: number, offset: number): PackEntry {
  const kind = header[at] ?? 0;
  const isCompressed = kind === 2 || kind === 3;
  const idAt = at + (isCompressed ? COMPRESSED_ENTRY_BYTES : PLAIN_ENTRY_BYTES) - ID_BYTES;
  if (kind > 3 || idAt + ID_BYTES > header.byteLength) throw damaged('its header holds something unknown');
  const plainLength = isCompressed ? header.readUInt32LE(at + 5) : 0;
  if (isCompressed && plainLength === 0) throw damaged('its header holds a compressed blob of no length');
  return {
    type: kind % 2 === 1 ? 'tree' : 'data',
    id: header.subarray(idAt, idAt + ID_BYTES),
    offset,
    storedLength: header.readUInt32LE(at + 1),
    plainLength,
  };
}

function damaged(reason: string): AppError {
  return new AppError('REPOSITORY_DAMAGED', { reason: `a pack cannot be read: ${reason}` });
}
