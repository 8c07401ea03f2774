/**
 * Finds where zstd frames end (RFC 8878, section 3.1). The runtime's decoder must be fed pieces that end where a frame
 * ends: when one ends inside what it was fed, it takes that for the end of the stream and drops the rest, no error.
 */
import { AppError } from '@backupx/contracts/errors';
import type { ByteSource } from './byte-source.ts';

const MAGIC = 0xfd2fb528;
const SKIPPABLE_MAGIC = 0x184d2a50;
const MAX_BLOCK_BYTES = 128 * 1024;
const CHECKSUM_BYTES = 4;
const PIECE_BYTES = 512 * 1024;
const DICTIONARY_ID_BYTES = [0, 1, 2, 4];
const CONTENT_SIZE_BYTES = [0, 2, 4, 8];
const RLE_BLOCK = 1;
const RESERVED_BLOCK = 3;

/** Moves past skippable frames; answers the magic number of the next data frame, or null at the end of the stream. */
export async function nextFrame(source: ByteSource): Promise<Uint8Array | null> {
  for (;;) {
    const first = await source.takeSome(1);
    if (!first) return null;
    const magic = Buffer.concat([first, await need(source, 3)]);
    const value = magic.readUInt32LE(0);
    if (value === MAGIC) return magic;
    if ((value & 0xfffffff0) !== SKIPPABLE_MAGIC) throw damaged('corrupt');
    const size = Buffer.from(await need(source, 4)).readUInt32LE(0);
    if (!(await source.skip(size))) throw damaged('cut off');
  }
}

/** The bytes of one frame whose magic number was just read, in pieces of about 512 KiB. Throws ARTIFACT_DAMAGED. */
export async function* frameBytes(source: ByteSource, magic: Uint8Array): AsyncGenerator<Uint8Array> {
  const descriptor = (await need(source, 1))[0] as number;
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const contentSizeFlag = descriptor >> 6;
  const headerBytes =
    (isSingleSegment ? 0 : 1) +
    (DICTIONARY_ID_BYTES[descriptor & 3] as number) +
    (contentSizeFlag === 0 && isSingleSegment ? 1 : (CONTENT_SIZE_BYTES[contentSizeFlag] as number));
  let piece = Buffer.allocUnsafe(PIECE_BYTES);
  let used = 0;
  const add = (bytes: Uint8Array) => {
    piece.set(bytes, used);
    used += bytes.byteLength;
  };
  add(magic);
  add(Buffer.of(descriptor));
  if (headerBytes > 0) add(await need(source, headerBytes));
  for (let isLast = false; !isLast; ) {
    const header = await need(source, 3);
    const value = (header[0] as number) | ((header[1] as number) << 8) | ((header[2] as number) << 16);
    add(header);
    isLast = (value & 1) !== 0;
    add(await need(source, storedBlockBytes(value)));
    if (isLast && descriptor & 4) add(await need(source, CHECKSUM_BYTES));
    if (!isLast && used + MAX_BLOCK_BYTES + 16 < PIECE_BYTES) continue;
    yield piece.subarray(0, used);
    piece = Buffer.allocUnsafe(PIECE_BYTES);
    used = 0;
  }
}

function storedBlockBytes(blockHeader: number): number {
  const type = (blockHeader >> 1) & 3;
  const size = blockHeader >> 3;
  if (type === RESERVED_BLOCK || size > MAX_BLOCK_BYTES) throw damaged('corrupt');
  return type === RLE_BLOCK ? 1 : size;
}

async function need(source: ByteSource, count: number): Promise<Uint8Array> {
  const bytes = await source.take(count);
  if (!bytes) throw damaged('cut off');
  return bytes;
}

function damaged(how: 'corrupt' | 'cut off'): AppError {
  return new AppError('ARTIFACT_DAMAGED', {
    reason: how === 'corrupt' ? 'the zstd data is corrupt' : 'the zstd data ends early',
  });
}
