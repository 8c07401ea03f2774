/**
 * Opens zstd frames. Those that say their size and are small, as ours are, are decoded as a whole, several at the same
 * time, into memory that is used again; all others go through one stream of the runtime. That made a new buffer for every
 * MiB, and collecting them was a quarter of a restore.
 */
import { createZstdDecompress } from 'node:zlib';
import { ByteSource } from './byte-source.ts';
import { codeBlocks } from './code-blocks.ts';
import { decodeStream, decodingError } from './stream-decoder.ts';
import { ZstdCodec } from './zstd-codec.ts';
import { contentSizeOf, damagedFrame, FrameReader, MAX_PART_BYTES, type StoredFrame } from './zstd-frames.ts';

/** Of a frame that is decoded as a whole. */
const MAX_WHOLE_BYTES = 4 * 1024 * 1024;
/** One is read while another is decoded; decoding is several times faster than what is done with the content. */
const FRAMES_AT_ONCE = 2;
/** A stream whose output is full to the last byte looks for more; less than 64 are refused. */
const SPARE_BYTES = 64;
const STREAM_CHUNK_BYTES = 1024 * 1024;

/**
 * The content of any number of frames, each chunk valid until the next is asked for. Throws ARTIFACT_DAMAGED, CANCELLED,
 * and what `body` throws.
 */
export async function* decodeFrames(
  body: AsyncIterable<Uint8Array>,
  { signal }: { readonly signal: AbortSignal },
): AsyncGenerator<Uint8Array> {
  const source = new ByteSource(body, signal);
  const frames = new FrameReader(source);
  const memory = new FrameMemory();
  const codec = createFrameDecoder();
  const options = { parallelism: FRAMES_AT_ONCE, signal, onBlockDone: (frame: Uint8Array) => memory.give(frame) };
  try {
    // Nothing at all is no whole stream: also an empty one has a frame.
    if ((await frames.current()) === null) throw damagedFrame('cut off');
    for (let next = await frames.current(); next; next = await frames.current()) {
      if (isSmall(next)) yield* codeBlocks(smallFrames(frames, memory), codec, options);
      else {
        const decoder = createZstdDecompress({ chunkSize: STREAM_CHUNK_BYTES });
        yield* decodeStream(decoder, otherFrames(frames), { algorithm: 'zstd', signal });
      }
    }
  } catch (error) {
    throw decodingError(error, 'zstd', signal);
  } finally {
    codec.close();
    await source.close();
  }
}

function createFrameDecoder(): ZstdCodec {
  return new ZstdCodec({
    open: (chunkSize) => createZstdDecompress({ chunkSize }),
    capacityOf: (frame) => (contentSizeOf(frame) ?? 0) + SPARE_BYTES,
    allocate: (sizeBytes) => Buffer.allocUnsafeSlow(sizeBytes),
  });
}

/** Frames whose memory is given back when they are decoded. */
class FrameMemory {
  readonly #free: Uint8Array[] = [];

  /** For frames of `contentBytes`, and a little more: zstd makes nothing longer than that. */
  take(contentBytes: number): Uint8Array {
    const sizeBytes = roomFor(contentBytes);
    const used = this.#free.pop();
    return used && used.byteLength >= sizeBytes ? used : Buffer.allocUnsafeSlow(sizeBytes);
  }

  give({ buffer }: Uint8Array): void {
    this.#free.push(new Uint8Array(buffer));
  }
}

function roomFor(contentBytes: number): number {
  return contentBytes + (contentBytes >>> 8) + 2 * MAX_PART_BYTES;
}

const isSmall = ({ contentSize }: StoredFrame): boolean => contentSize !== null && contentSize <= MAX_WHOLE_BYTES;

/** Small frames, each as a whole, up to the first other one. */
async function* smallFrames(frames: FrameReader, memory: FrameMemory): AsyncGenerator<Uint8Array> {
  for (let frame = await frames.current(); frame && isSmall(frame); frame = await frames.current()) {
    const target = memory.take(frame.contentSize ?? 0);
    const bytes = target.subarray(0, await frame.readParts(target));
    if (frame.isEnded) yield bytes;
    else frame.unread(bytes);
  }
}

/** Other frames in pieces that never reach from one frame into the next, up to the first small one. */
async function* otherFrames(frames: FrameReader): AsyncGenerator<Uint8Array> {
  for (let frame = await frames.current(); frame && !isSmall(frame); frame = await frames.current()) {
    yield* frame.pieces();
  }
}
