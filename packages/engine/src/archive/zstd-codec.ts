/**
 * Whole zstd frames made or opened in the thread pool of the runtime: one stream per block in flight, used for one frame
 * after the other in the same context, and a few output buffers that are used over and over.
 */
import { once } from 'node:events';
import type { Transform } from 'node:stream';
import type { BlockCodec } from './code-blocks.ts';

export interface ZstdCodecParts {
  /** A stream of the runtime that answers each write as a whole; `capacity` is its `chunkSize`. */
  open(capacity: number): Transform;
  /** More bytes than the result of this block can have. */
  capacityOf(block: Uint8Array): number;
  allocate(sizeBytes: number): Buffer;
}

export class ZstdCodec implements BlockCodec {
  readonly #parts: ZstdCodecParts;
  readonly #idle: FrameStream[] = [];
  #outputs: Buffer[] = [];
  /** Bytes that the result of the largest block so far may need. */
  #capacity = 0;

  constructor(parts: ZstdCodecParts) {
    this.#parts = parts;
  }

  async code(block: Uint8Array): Promise<Uint8Array> {
    const { open, allocate, capacityOf } = this.#parts;
    const capacity = capacityOf(block);
    if (capacity > this.#capacity) {
      this.close();
      this.#outputs = [];
      this.#capacity = capacity;
    }
    const stream = this.#idle.pop() ?? new FrameStream(open(this.#capacity), this.#capacity);
    let isWell = false;
    try {
      const result = await stream.run(block, this.#outputs.pop() ?? allocate(stream.capacity));
      isWell = true;
      return result;
    } finally {
      if (isWell && stream.capacity === this.#capacity) this.#idle.push(stream);
      else stream.close();
    }
  }

  release({ buffer }: Uint8Array): void {
    if (buffer.byteLength === this.#capacity) this.#outputs.push(Buffer.from(buffer));
  }

  close(): void {
    for (const stream of this.#idle.splice(0)) stream.close();
  }
}

/** Where the runtime's zlib streams put their output. Not documented, but as old as they are; see `run`. */
interface OutputPlace {
  _outBuffer: Buffer;
  _outOffset: number;
}

class FrameStream {
  readonly capacity: number;
  readonly #stream: Transform;
  #parts: Buffer[] = [];
  #fail: ((error: Error) => void) | null = null;

  constructor(stream: Transform, capacity: number) {
    this.capacity = capacity;
    this.#stream = stream;
    stream.on('data', (part: Buffer) => this.#parts.push(part));
    // A write that fails is not answered in any other way.
    stream.on('error', (error) => this.#fail?.(error));
  }

  /**
   * One frame. The output buffer is put where the stream looks for it: large enough for the worst case, it also lets
   * zstd work in one go instead of through its own buffers. A runtime that ignored it would answer elsewhere, and then
   * the answer is copied. After an error the stream is of no use any more.
   */
  async run(block: Uint8Array, output: Buffer): Promise<Uint8Array> {
    Object.assign(this.#stream, { _outBuffer: output, _outOffset: 0 } satisfies OutputPlace);
    await new Promise<void>((resolve, reject) => {
      this.#fail = reject;
      this.#stream.write(block, (error) => (error ? reject(error) : resolve()));
    });
    while (this.#stream.readableLength > 0) await once(this.#stream, 'data');
    const parts = this.#parts;
    this.#parts = [];
    const [only] = parts;
    if (parts.length === 1 && only?.buffer === output.buffer && only.byteOffset === 0) return only;
    return Buffer.concat(parts);
  }

  close(): void {
    this.#stream.destroy();
  }
}
