/**
 * One zstd context of the runtime, used again and again without a hop to another thread.
 *
 * The documented one-shot calls (`zlib.zstdCompressSync`) make a context per call, which costs a small blob more than
 * its compression; the streams keep theirs, but answer from a thread of the pool. Below a stream lies a handle with a
 * synchronous call, the one that the one-shot calls use themselves. It is not documented, so `open…` tries it out, and
 * answers null when anything is not as it was in the runtime that this was written for. See
 * docs/decisions/0009-zstd-context-reuse.md.
 */
import { constants, createZstdCompress, createZstdDecompress } from 'node:zlib';

/** What the stream classes of Node 24 keep below them. */
interface StreamHandle {
  writeSync(
    flush: number,
    input: Uint8Array,
    inputAt: number,
    inputBytes: number,
    output: Uint8Array,
    outputAt: number,
    outputBytes: number,
  ): void;
  reset(): void;
  onerror: (message: string, errno: number, code: string) => void;
}

interface StreamInsides {
  readonly _handle: StreamHandle;
  /** Room left in the output and input left over after a write. */
  readonly _writeState: Uint32Array;
  destroy(): void;
}

export interface ZstdHandle {
  /**
   * Compresses or decompresses all of `input` as a whole into `output` and answers the bytes written; -1 when that does
   * not work out: not enough room, more than one frame, damaged.
   */
  run(input: Uint8Array, output: Uint8Array): number;
  /** Frees the context. */
  close(): void;
}

/** How hard to try. */
export interface ZstdTuning {
  /** 1 to 19. */
  readonly level: number;
  /** Size of the match tables as a power of two; left out: what the level has. Smaller ones stay in the cache. */
  readonly tableLog?: number;
}

/** Parameters for the runtime's zlib. */
export function zstdParams({ level, tableLog }: ZstdTuning): Record<number, number> {
  const params = { [constants.ZSTD_c_compressionLevel]: level };
  if (tableLog === undefined) return params;
  return { ...params, [constants.ZSTD_c_hashLog]: tableLog, [constants.ZSTD_c_chainLog]: tableLog - 1 };
}

/** Null when the runtime's streams are not built as expected. */
export function openCompressorHandle(tuning: ZstdTuning): ZstdHandle | null {
  return open(() => createZstdCompress({ params: zstdParams(tuning) }), worksAsCompressor);
}

/** Null when the runtime's streams are not built as expected. */
export function openDecompressorHandle(): ZstdHandle | null {
  return open(createZstdDecompress, worksAsDecompressor);
}

function open(createStream: () => unknown, works: (handle: ZstdHandle) => boolean): ZstdHandle | null {
  try {
    const handle = new ReusedContext(createStream() as StreamInsides);
    if (works(handle)) return handle;
    handle.close();
    return null;
  } catch {
    return null;
  }
}

class ReusedContext implements ZstdHandle {
  readonly #stream: StreamInsides;
  #hasFailed = false;

  constructor(stream: StreamInsides) {
    this.#stream = stream;
    stream._handle.onerror = () => {
      this.#hasFailed = true;
    };
  }

  run(input: Uint8Array, output: Uint8Array): number {
    const { _handle: handle, _writeState: state } = this.#stream;
    handle.writeSync(constants.ZSTD_e_end, input, 0, input.byteLength, output, 0, output.byteLength);
    const roomLeft = state[0] ?? 0;
    if (!this.#hasFailed && state[1] === 0) return output.byteLength - roomLeft;
    this.#hasFailed = false;
    handle.reset();
    return -1;
  }

  close(): void {
    this.#stream.destroy();
  }
}

const SAMPLE = Buffer.from('BackupX '.repeat(20));
/** `SAMPLE` as zstd 1.5 writes it; the content size stands in the header. */
const SAMPLE_FRAME = Buffer.from('28b52ffd20a07d0000404261636b7570582001009551850b', 'hex');

/** Twice, since the second frame is the one that shows whether a context can be used again. */
function worksAsCompressor(handle: ZstdHandle): boolean {
  const output = new Uint8Array(256);
  const decompressor = openDecompressorHandle();
  if (!decompressor) return false;
  try {
    return [SAMPLE, SAMPLE.subarray(1)].every((sample) => {
      const frame = output.subarray(0, Math.max(0, handle.run(sample, output)));
      const plain = Buffer.alloc(sample.byteLength);
      return (
        frame[4] === 0x20 &&
        frame[5] === sample.byteLength &&
        decompressor.run(frame, plain) > 0 &&
        plain.equals(sample)
      );
    });
  } finally {
    decompressor.close();
  }
}

function worksAsDecompressor(handle: ZstdHandle): boolean {
  const plain = Buffer.alloc(SAMPLE.byteLength);
  const isRight = () => plain.fill(0) && handle.run(SAMPLE_FRAME, plain) === SAMPLE.byteLength && plain.equals(SAMPLE);
  const refusesParts = () => handle.run(SAMPLE_FRAME.subarray(0, -1), plain) < 0;
  return isRight() && refusesParts() && isRight();
}
