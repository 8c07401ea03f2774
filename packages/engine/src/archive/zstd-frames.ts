/**
 * Finds where zstd frames end (RFC 8878, section 3.1). The runtime's decoder must be fed pieces that end where a frame
 * ends: when one ends inside what it was fed, it takes that for the end of the stream and drops the rest, no error.
 */
import { AppError } from '@backupx/contracts/errors';
import type { ByteSource } from './byte-source.ts';

const MAGIC = 0xfd2fb528;
const SKIPPABLE_MAGIC = 0x184d2a50;
const MAGIC_BYTES = 4;
const BLOCK_HEADER_BYTES = 3;
const MAX_BLOCK_BYTES = 128 * 1024;
const CHECKSUM_BYTES = 4;
const PIECE_BYTES = 512 * 1024;
const DICTIONARY_ID_BYTES = [0, 1, 2, 4];
const CONTENT_SIZE_BYTES = [0, 2, 4, 8];
const RLE_BLOCK = 1;
const RESERVED_BLOCK = 3;

/** The largest part of a frame: a block with its header, and the checksum behind it. */
export const MAX_PART_BYTES = BLOCK_HEADER_BYTES + MAX_BLOCK_BYTES + CHECKSUM_BYTES;

/** A frame whose magic number and header were read; the rest comes part by part. */
export class StoredFrame {
  readonly #source: ByteSource;
  readonly #hasChecksum: boolean;
  /** What was read and not handed out yet. */
  #read: Uint8Array;
  #isEnded = false;
  #isUnsized = false;
  readonly #contentSize: number | null;

  /** Throws ARTIFACT_DAMAGED. */
  static async open(source: ByteSource, magic: Uint8Array): Promise<StoredFrame> {
    const start = Buffer.concat([magic, await need(source, 1)]);
    const { otherBytes, sizeBytes } = fieldsOf(start);
    const fields = otherBytes + sizeBytes > 0 ? await need(source, otherBytes + sizeBytes) : new Uint8Array(0);
    return new StoredFrame(source, Buffer.concat([start, fields]));
  }

  private constructor(source: ByteSource, header: Buffer) {
    this.#source = source;
    this.#read = header;
    this.#contentSize = contentSizeOf(header);
    this.#hasChecksum = ((header[MAGIC_BYTES] as number) & 4) !== 0;
  }

  /** Null: the frame does not say. */
  get contentSize(): number | null {
    return this.#isUnsized ? null : this.#contentSize;
  }

  /** Everything was handed out. */
  get isEnded(): boolean {
    return this.#isEnded && this.#read.byteLength === 0;
  }

  /** Fills `target` with whole parts as long as the largest has room; answers the bytes. Throws ARTIFACT_DAMAGED. */
  async readParts(target: Uint8Array): Promise<number> {
    target.set(this.#read);
    let used = this.#read.byteLength;
    this.#read = new Uint8Array(0);
    while (!this.#isEnded && used + MAX_PART_BYTES <= target.byteLength) used += await this.#readBlock(target, used);
    return used;
  }

  /** The rest in pieces of about 512 KiB. Throws ARTIFACT_DAMAGED. */
  async *pieces(): AsyncGenerator<Uint8Array> {
    while (!this.isEnded) {
      const piece = Buffer.allocUnsafe(Math.max(PIECE_BYTES, this.#read.byteLength + MAX_PART_BYTES));
      yield piece.subarray(0, await this.readParts(piece));
    }
  }

  /** Takes back what was read: it comes again, before the rest. What the frame says of its size then counts for nothing. */
  unread(bytes: Uint8Array): void {
    this.#read = Uint8Array.from(bytes);
    this.#isUnsized = true;
  }

  async #readBlock(target: Uint8Array, at: number): Promise<number> {
    const header = await need(this.#source, BLOCK_HEADER_BYTES);
    const value = (header[0] as number) | ((header[1] as number) << 8) | ((header[2] as number) << 16);
    target.set(header, at);
    this.#isEnded = (value & 1) !== 0;
    const restBytes = storedBlockBytes(value) + (this.#isEnded && this.#hasChecksum ? CHECKSUM_BYTES : 0);
    const from = at + BLOCK_HEADER_BYTES;
    if (!(await this.#source.takeInto(target.subarray(from, from + restBytes)))) throw damagedFrame('cut off');
    return BLOCK_HEADER_BYTES + restBytes;
  }
}

/** The frames of a stream, one after the other; skippable ones are passed over. */
export class FrameReader {
  readonly #source: ByteSource;
  #next: StoredFrame | null = null;

  constructor(source: ByteSource) {
    this.#source = source;
  }

  /** The frame that is being read, or, when all of it was handed out, the next one; null at the end. Throws ARTIFACT_DAMAGED. */
  async current(): Promise<StoredFrame | null> {
    if (this.#next && !this.#next.isEnded) return this.#next;
    const magic = await nextMagic(this.#source);
    this.#next = magic && (await StoredFrame.open(this.#source, magic));
    return this.#next;
  }
}

/** Moves past skippable frames; answers the magic number of the next data frame, or null at the end of the stream. */
async function nextMagic(source: ByteSource): Promise<Uint8Array | null> {
  for (;;) {
    const first = await source.takeSome(1);
    if (!first) return null;
    // A copy: what was taken is gone with the next read.
    const magic = Buffer.from([first[0] as number, 0, 0, 0]);
    if (!(await source.takeInto(magic.subarray(1)))) throw damagedFrame('cut off');
    const value = magic.readUInt32LE(0);
    if (value === MAGIC) return magic;
    if ((value & 0xfffffff0) !== SKIPPABLE_MAGIC) throw damagedFrame('corrupt');
    const size = Buffer.from(await need(source, 4)).readUInt32LE(0);
    if (!(await source.skip(size))) throw damagedFrame('cut off');
  }
}

/** How many bytes of a frame's header are its content size, and how many others stand between that and the first five. */
function fieldsOf(header: Uint8Array): { readonly otherBytes: number; readonly sizeBytes: number } {
  const descriptor = header[MAGIC_BYTES] as number;
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const flag = descriptor >> 6;
  const sizeBytes = flag === 0 && isSingleSegment ? 1 : (CONTENT_SIZE_BYTES[flag] as number);
  return { otherBytes: (isSingleSegment ? 0 : 1) + (DICTIONARY_ID_BYTES[descriptor & 3] as number), sizeBytes };
}

/** What a frame says in its header; null: nothing. */
export function contentSizeOf(frame: Uint8Array): number | null {
  const { otherBytes, sizeBytes } = fieldsOf(frame);
  if (sizeBytes === 0) return null;
  const view = Buffer.from(frame.buffer, frame.byteOffset + MAGIC_BYTES + 1 + otherBytes, sizeBytes);
  if (sizeBytes === 8) return Number(view.readBigUInt64LE(0));
  return view.readUIntLE(0, sizeBytes) + (sizeBytes === 2 ? 256 : 0);
}

function storedBlockBytes(blockHeader: number): number {
  const type = (blockHeader >> 1) & 3;
  const size = blockHeader >> 3;
  if (type === RESERVED_BLOCK || size > MAX_BLOCK_BYTES) throw damagedFrame('corrupt');
  return type === RLE_BLOCK ? 1 : size;
}

async function need(source: ByteSource, count: number): Promise<Uint8Array> {
  const bytes = await source.take(count);
  if (!bytes) throw damagedFrame('cut off');
  return bytes;
}

export function damagedFrame(how: 'corrupt' | 'cut off'): AppError {
  return new AppError('ARTIFACT_DAMAGED', {
    reason: how === 'corrupt' ? 'the zstd data is corrupt' : 'the zstd data ends early',
  });
}
