/**
 * Compression of the archive stream. Every block becomes an independent zstd frame or gzip member, compressed in the
 * thread pool of the runtime with several in flight; the concatenation is a normal `.zst` / `.gz` file that the stock
 * programs read. The runtime's own multi-threaded zstd (`nbWorkers`) is never used: it emits truncated data
 * (nodejs/node#59899).
 */
import { createGunzip } from 'node:zlib';
import type { Compression } from '@backupx/contracts/jobs';
import { throwIfCancelled } from '../ports/pull-body.ts';
import { createBlockCompressor } from './block-compressor.ts';
import { type CodeBlocksOptions, codeBlocks } from './code-blocks.ts';
import { decodeFrames } from './decode-frames.ts';
import { decodeStream } from './stream-decoder.ts';

const DECODED_CHUNK_BYTES = 1024 * 1024;

export interface CompressOptions extends CodeBlocksOptions {
  readonly algorithm: Compression;
  /** gzip 1–9 (default 6), zstd 1–19 (default 3). */
  readonly level?: number;
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
  else yield* compressBlocks(blocks, options.algorithm, options);
}

async function* passThrough(blocks: AsyncIterable<Uint8Array>, options: CompressOptions): AsyncGenerator<Uint8Array> {
  for await (const block of blocks) {
    throwIfCancelled(options.signal);
    yield block;
    options.onBlockDone?.(block);
  }
}

async function* compressBlocks(
  blocks: AsyncIterable<Uint8Array>,
  algorithm: 'gzip' | 'zstd',
  options: CompressOptions,
): AsyncGenerator<Uint8Array> {
  const compressor = createBlockCompressor(algorithm, options.level);
  let isEmpty = true;
  try {
    for await (const compressed of codeBlocks(blocks, compressor, options)) {
      isEmpty = false;
      yield compressed;
    }
    // Zero bytes are not a valid .zst or .gz file: an empty stream is one empty frame.
    if (isEmpty) yield await compressor.code(new Uint8Array(0));
  } finally {
    compressor.close();
  }
}

export interface DecompressOptions {
  readonly signal: AbortSignal;
  /** True: a chunk is needed only until the next is asked for, so its memory may be used again. Left out: false. */
  readonly isUsedAtOnce?: boolean;
}

/**
 * Opens a compressed stream: any number of frames or members in a row, ours or of a stock program.
 * Throws ARTIFACT_DAMAGED when the data is corrupt or ends early, CANCELLED, and what `body` throws.
 */
export async function* decompress(
  body: AsyncIterable<Uint8Array>,
  algorithm: Compression,
  { signal, isUsedAtOnce = false }: DecompressOptions,
): AsyncGenerator<Uint8Array> {
  throwIfCancelled(signal);
  if (algorithm === 'gzip') {
    yield* decodeStream(createGunzip({ chunkSize: DECODED_CHUNK_BYTES }), body, { algorithm, signal });
    return;
  }
  const chunks = algorithm === 'zstd' ? decodeFrames(body, { signal }) : body;
  for await (const chunk of chunks) {
    throwIfCancelled(signal);
    if (isUsedAtOnce || algorithm === 'none') yield chunk;
    else yield* copiesOf(chunk);
  }
}

function* copiesOf(chunk: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < chunk.byteLength; at += DECODED_CHUNK_BYTES) {
    yield Uint8Array.prototype.slice.call(chunk, at, at + DECODED_CHUNK_BYTES);
  }
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
