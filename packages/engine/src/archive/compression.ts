/**
 * Compression of the archive stream. Every block becomes an independent zstd frame or gzip member, compressed in the
 * thread pool of the runtime with several in flight; the concatenation is a normal `.zst` / `.gz` file that the stock
 * programs read. The runtime's own multi-threaded zstd (`nbWorkers`) is never used: it emits truncated data
 * (nodejs/node#59899).
 */
import { Readable, type Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { AppError } from '@backupx/contracts/errors';
import type { Compression } from '@backupx/contracts/jobs';
import { cancelledError, throwIfCancelled } from '../ports/pull-body.ts';
import { type BlockCompressor, createBlockCompressor } from './block-compressor.ts';
import { ByteSource } from './byte-source.ts';
import { frameBytes, nextFrame } from './zstd-frames.ts';

const DECODED_CHUNK_BYTES = 1024 * 1024;

export interface CompressOptions {
  readonly algorithm: Compression;
  /** Blocks compressed at the same time, at least 1; memory is about twice that many blocks. */
  readonly parallelism: number;
  readonly signal: AbortSignal;
  /** gzip 1–9 (default 6), zstd 1–19 (default 3). */
  readonly level?: number;
  /** Called once per input block when nothing reads it any more, so that its memory may be filled again. */
  readonly onBlockDone?: (block: Uint8Array) => void;
}

interface PendingBlock {
  readonly block: Uint8Array;
  readonly result: Promise<Uint8Array>;
}

/**
 * Compresses blocks, keeping their order. Pulls the next block only while fewer than `parallelism` are in flight.
 * With `none` blocks pass through and are done at the next pull. What is yielded is valid until the next pull. Throws what `blocks` throws, and CANCELLED.
 */
export async function* compress(
  blocks: AsyncIterable<Uint8Array>,
  options: CompressOptions,
): AsyncGenerator<Uint8Array> {
  if (options.algorithm === 'none') yield* passThrough(blocks, options);
  else yield* compressInParallel(blocks, createBlockCompressor(options.algorithm, options.level), options);
}

async function* passThrough(blocks: AsyncIterable<Uint8Array>, options: CompressOptions): AsyncGenerator<Uint8Array> {
  for await (const block of blocks) {
    throwIfCancelled(options.signal);
    yield block;
    options.onBlockDone?.(block);
  }
}

async function* compressInParallel(
  blocks: AsyncIterable<Uint8Array>,
  compressor: BlockCompressor,
  options: CompressOptions,
): AsyncGenerator<Uint8Array> {
  const parallelism = Math.max(1, options.parallelism);
  const source = blocks[Symbol.asyncIterator]();
  const pending: PendingBlock[] = [];
  let ended = false;
  let isEmpty = true;
  try {
    for (;;) {
      while (!ended && pending.length < parallelism) {
        throwIfCancelled(options.signal);
        const next = await source.next();
        if (next.done) {
          ended = true;
          break;
        }
        isEmpty = false;
        const result = compressor.compress(next.value);
        // A failure is met when its turn comes; until then it must not count as unhandled.
        result.catch(() => {});
        pending.push({ block: next.value, result });
      }
      const head = pending[0];
      if (!head) break;
      const compressed = await head.result;
      pending.shift();
      options.onBlockDone?.(head.block);
      throwIfCancelled(options.signal);
      yield compressed;
      compressor.release(compressed);
    }
    // Zero bytes are not a valid .zst or .gz file: an empty stream is one empty frame.
    if (isEmpty) yield await compressor.compress(new Uint8Array(0));
  } finally {
    // The pool still reads these blocks; their owner must not see them as free before it is through.
    await Promise.allSettled(pending.map((entry) => entry.result));
    for (const entry of pending) options.onBlockDone?.(entry.block);
    compressor.close();
    if (!ended) await source.return?.();
  }
}

/**
 * Opens a compressed stream: any number of frames or members in a row, ours or of a stock program.
 * Throws ARTIFACT_DAMAGED when the data is corrupt or ends early, CANCELLED, and what `body` throws.
 */
export async function* decompress(
  body: AsyncIterable<Uint8Array>,
  algorithm: Compression,
  options: { readonly signal: AbortSignal },
): AsyncGenerator<Uint8Array> {
  if (algorithm === 'none') {
    for await (const chunk of body) {
      throwIfCancelled(options.signal);
      yield chunk;
    }
    return;
  }
  throwIfCancelled(options.signal);
  if (algorithm === 'gzip') yield* decodeWith(createGunzip({ chunkSize: DECODED_CHUNK_BYTES }), body, 'gzip', options);
  else {
    const decoder = createZstdDecompress({ chunkSize: DECODED_CHUNK_BYTES });
    yield* decodeWith(decoder, cutAtFrames(body, options.signal), 'zstd', options);
  }
}

/** The same stream in pieces that never reach from one frame into the next. */
async function* cutAtFrames(body: AsyncIterable<Uint8Array>, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const source = new ByteSource(body, signal);
  try {
    for (let magic = await nextFrame(source); magic; magic = await nextFrame(source)) yield* frameBytes(source, magic);
  } finally {
    await source.close();
  }
}

async function* decodeWith(
  decoder: Transform,
  body: AsyncIterable<Uint8Array>,
  algorithm: Compression,
  options: { readonly signal: AbortSignal },
): AsyncGenerator<Uint8Array> {
  // What the reader of a destroyed decoder sees may be a mere "premature close"; the pipeline knows the first cause.
  let failure: unknown = null;
  const feeding = pipeline(Readable.from(body), decoder, { signal: options.signal }).catch((error: unknown) => {
    failure = error;
  });
  try {
    for await (const chunk of decoder) yield chunk as Uint8Array;
    await feeding;
    if (failure) throw failure;
  } catch (error) {
    await feeding;
    throw decodingError(failure ?? error, algorithm, options.signal);
  } finally {
    decoder.destroy();
    await feeding;
  }
}

function decodingError(error: unknown, algorithm: Compression, signal: AbortSignal): unknown {
  if (error instanceof AppError) return error;
  if (signal.aborted) return cancelledError(signal);
  const code = (error as { code?: unknown } | null)?.code;
  if (typeof code === 'string' && /^(Z_|ZSTD_)/.test(code)) {
    const reason = code === 'Z_BUF_ERROR' ? `the ${algorithm} data ends early` : `the ${algorithm} data is corrupt`;
    return new AppError('ARTIFACT_DAMAGED', { reason }, { cause: error });
  }
  return error;
}

/** Compression told by a file name (`x.tar.zst.age` → zstd); `none` for everything it does not know. */
export function compressionOf(fileName: string): Compression {
  const name = fileName.toLowerCase().replace(/\.age$/, '');
  if (/\.(gz|tgz)$/.test(name)) return 'gzip';
  if (/\.(zst|tzst)$/.test(name)) return 'zstd';
  return 'none';
}

/** `.tar`, `.tar.gz` or `.tar.zst`, with `.age` behind it when encrypted. */
export function archiveExtension(compression: Compression, encrypted: boolean): string {
  const suffix = { none: '', gzip: '.gz', zstd: '.zst' }[compression];
  return `.tar${suffix}${encrypted ? '.age' : ''}`;
}
