/** Compression of blobs and files: one whole zstd frame each, with the size of the content in its header. */
import type { Writable } from 'node:stream';
import { createZstdCompress, createZstdDecompress, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { AppError } from '@backupx/contracts/errors';
import {
  openCompressorHandle,
  openDecompressorHandle,
  type ZstdHandle,
  type ZstdTuning,
  zstdParams,
} from './zstd-handle.ts';

const DEFAULT_TUNING: ZstdTuning = { level: 3 };
/** What a frame may become when the caller does not know better, in bytes. */
const MAX_PLAIN_BYTES = 512 * 1024 * 1024;
/** A block of four bytes can stand for 128 KiB (RFC 8878, 3.1.1.2): no frame becomes more than this many times itself. */
const MAX_EXPANSION = 32 * 1024;
/** The same beyond `MAX_PLAIN_BYTES`. Lists of folders, the only content so large, stay below it by far. */
const MAX_LARGE_EXPANSION = 1024;
const FRAME_MAGIC = 0xfd2fb528;
const FIRST_OUTPUT_BYTES = 64 * 1024;
/** Of content that is decompressed a piece at a time. */
const PIECE_BYTES = 256 * 1024;
/** Enough for any chunk: growing leaves the smaller ones behind, and of this only what frames need is ever touched. */
const LARGE_OUTPUT_BYTES = 9 * 1024 * 1024;

export interface Compressor {
  /** One whole frame, valid until the next call. `bytes` may lie in shared memory. */
  compress(bytes: Uint8Array): Uint8Array;
  /** Frees its memory; nothing may be compressed afterwards. */
  close(): void;
}

/** A compressor for one thread, with one context for all its calls where the runtime allows it. */
export function createCompressor(tuning: ZstdTuning = DEFAULT_TUNING): Compressor {
  const handle = openCompressorHandle(tuning);
  if (handle) return new ReusingCompressor(handle, tuning);
  return { compress: (bytes) => compressOnce(bytes, tuning), close() {} };
}

/** One whole frame in a buffer of its own, for callers that compress now and then. */
export function compressOnce(bytes: Uint8Array, tuning: ZstdTuning = DEFAULT_TUNING): Buffer {
  return zstdCompressSync(bytes, { params: zstdParams(tuning) });
}

/**
 * The same of content that comes in pieces, `sizeBytes` in all, and as pieces: neither lies in memory as a whole. Each
 * piece need only be valid until the next is asked for.
 */
export async function compressPieces(pieces: Iterable<Uint8Array>, sizeBytes: number): Promise<Buffer[]> {
  const compressor = createZstdCompress({ params: zstdParams(DEFAULT_TUNING), pledgedSrcSize: sizeBytes });
  const frame: Buffer[] = [];
  const read = async () => {
    for await (const part of compressor as AsyncIterable<Buffer>) frame.push(part);
  };
  await Promise.all([writeInTurn(compressor, pieces), read()]);
  return frame;
}

/** Each piece has been used up before the next is asked for. */
async function writeInTurn(target: Writable, pieces: Iterable<Uint8Array>): Promise<void> {
  try {
    for (const piece of pieces) {
      await new Promise<void>((resolve, reject) => {
        target.write(piece, (error) => (error ? reject(error) : resolve()));
      });
    }
    target.end();
  } catch (error) {
    target.destroy(error instanceof Error ? error : new Error(String(error)));
    throw error;
  }
}

class ReusingCompressor implements Compressor {
  readonly #handle: ZstdHandle;
  readonly #tuning: ZstdTuning;
  #output = Buffer.allocUnsafeSlow(compressBound(FIRST_OUTPUT_BYTES));

  constructor(handle: ZstdHandle, tuning: ZstdTuning) {
    this.#handle = handle;
    this.#tuning = tuning;
  }

  compress(bytes: Uint8Array): Uint8Array {
    const bound = compressBound(bytes.byteLength);
    if (bound > this.#output.byteLength) this.#output = Buffer.allocUnsafeSlow(Math.max(bound, LARGE_OUTPUT_BYTES));
    const length = this.#handle.run(bytes, this.#output);
    return length > 0 ? this.#output.subarray(0, length) : compressOnce(bytes, this.#tuning);
  }

  close(): void {
    this.#handle.close();
  }
}

/** ZSTD_compressBound, rounded up: with so much room a frame is made in one go and never falls short. */
function compressBound(size: number): number {
  return size + (size >>> 8) + 1024;
}

/** One context per thread; undefined: not opened yet. */
let decompressor: ZstdHandle | null | undefined;

/**
 * The content of one or more whole frames. Throws REPOSITORY_DAMAGED when they are no such, or hold more than
 * `maxBytes` or `mostBytesIn` them: nothing that a stranger stored makes us ask for more memory than that, whatever an
 * index promises.
 */
export function decompress(frame: Uint8Array, maxBytes: number = MAX_PLAIN_BYTES): Buffer {
  const size = contentSize(frame);
  const limit = Math.min(maxBytes, mostBytesIn(frame.byteLength));
  if (size !== null && size > limit) throw damaged(`it says ${size} bytes and may have ${limit}`);
  if (size !== null && size > 0) {
    if (decompressor === undefined) decompressor = openDecompressorHandle();
    const plain = Buffer.allocUnsafeSlow(size);
    if (decompressor?.run(frame, plain) === size) return plain;
  }
  return decompressSlowly(frame, limit, size);
}

/**
 * The same into the beginning of `target`, without new memory where the runtime allows it; answers the bytes written.
 * Throws REPOSITORY_DAMAGED also when `target` is too small.
 */
export function decompressInto(frame: Uint8Array, target: Uint8Array): number {
  const size = contentSize(frame);
  if (size !== null && size > 0 && size <= target.byteLength) {
    if (decompressor === undefined) decompressor = openDecompressorHandle();
    if (decompressor?.run(frame, target.subarray(0, size)) === size) return size;
  }
  const plain = decompress(frame, target.byteLength);
  target.set(plain);
  return plain.byteLength;
}

/**
 * The content of a frame, `sizeBytes` in all, a piece at a time. Throws REPOSITORY_DAMAGED, for a wrong size after the
 * pieces that there are.
 */
export async function* decompressPieces(frame: Uint8Array, sizeBytes: number): AsyncGenerator<Buffer> {
  const decompressor = createZstdDecompress({ chunkSize: PIECE_BYTES });
  let length = 0;
  decompressor.end(frame);
  try {
    for await (const piece of decompressor as AsyncIterable<Buffer>) {
      length += piece.byteLength;
      if (length > sizeBytes) break;
      yield piece;
    }
  } catch (error) {
    throw damaged(error instanceof Error ? error.message : String(error), error);
  }
  if (length !== sizeBytes) throw damaged(`it is not of ${sizeBytes} bytes`);
}

/** How much content so many compressed bytes may have. */
export function mostBytesIn(frameBytes: number): number {
  return Math.min(frameBytes * MAX_EXPANSION, Math.max(MAX_PLAIN_BYTES, frameBytes * MAX_LARGE_EXPANSION));
}

/** Also several frames in a row, and frames that do not tell their size. */
function decompressSlowly(frame: Uint8Array, maxBytes: number, size: number | null): Buffer {
  try {
    const chunkSize = Math.min(Math.max(64, size ?? 4 * frame.byteLength), 4 * 1024 * 1024);
    return zstdDecompressSync(frame, { chunkSize, maxOutputLength: Math.max(1, maxBytes) });
  } catch (error) {
    throw damaged(error instanceof Error ? error.message : String(error), error);
  }
}

function damaged(reason: string, cause?: unknown): AppError {
  return new AppError('REPOSITORY_DAMAGED', { reason: `compressed data cannot be read: ${reason}` }, { cause });
}

/** The content size in the header of the (first) frame (RFC 8878, 3.1.1.1); null: it does not say, or is no frame. */
export function contentSize(frame: Uint8Array): number | null {
  if (frame.byteLength < 6) return null;
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  if (view.getUint32(0, true) !== FRAME_MAGIC) return null;
  const descriptor = view.getUint8(4);
  const hasOneSegment = (descriptor & 0x20) !== 0;
  const at = 5 + (hasOneSegment ? 0 : 1) + ([0, 1, 2, 4][descriptor & 3] ?? 0);
  const width = [hasOneSegment ? 1 : 0, 2, 4, 8][descriptor >> 6] ?? 0;
  if (width === 0 || at + width > frame.byteLength) return null;
  if (width === 1) return view.getUint8(at);
  if (width === 2) return view.getUint16(at, true) + 256;
  if (width === 4) return view.getUint32(at, true);
  return Number(view.getBigUint64(at, true));
}
