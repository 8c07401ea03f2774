/**
 * Pull-style reading of a chunked stream: exact byte counts for headers, whatever is there for bulk data.
 * Never holds more than the current chunk and what one `take` asked for. Slices of the producer's chunks are handed
 * out as they are; they are valid until the next call.
 */
import { throwIfCancelled } from '../ports/pull-body.ts';

const NOTHING = new Uint8Array(0);

export class ByteSource {
  readonly #iterator: AsyncIterator<Uint8Array>;
  readonly #signal: AbortSignal;
  #chunk: Uint8Array = NOTHING;
  #ended = false;

  constructor(body: AsyncIterable<Uint8Array>, signal: AbortSignal) {
    this.#iterator = body[Symbol.asyncIterator]();
    this.#signal = signal;
  }

  /** `length` bytes when the current chunk holds them, else null: the way without a promise. */
  takeNow(length: number): Uint8Array | null {
    if (this.#chunk.byteLength < length) return null;
    const taken = this.#chunk.subarray(0, length);
    this.#chunk = this.#chunk.subarray(length);
    return taken;
  }

  /** Exactly `length` bytes, or null when the stream ends before (what was left is lost). The caller bounds `length`. */
  async take(length: number): Promise<Uint8Array | null> {
    const now = this.takeNow(length);
    if (now) return now;
    const taken = new Uint8Array(length);
    return (await this.takeInto(taken)) ? taken : null;
  }

  /** Fills `target`; false when the stream ends before. */
  async takeInto(target: Uint8Array): Promise<boolean> {
    for (let used = 0; used < target.byteLength; ) {
      const part = await this.takeSome(target.byteLength - used);
      if (!part) return false;
      target.set(part, used);
      used += part.byteLength;
    }
    return true;
  }

  /** At least one byte and at most `limit`; null at the end. */
  async takeSome(limit: number = Number.POSITIVE_INFINITY): Promise<Uint8Array | null> {
    while (this.#chunk.byteLength === 0) {
      if (this.#ended) return null;
      throwIfCancelled(this.#signal);
      const next = await this.#iterator.next();
      if (next.done) this.#ended = true;
      else this.#chunk = plainView(next.value);
    }
    const taken = this.#chunk.subarray(0, Math.min(limit, this.#chunk.byteLength));
    this.#chunk = this.#chunk.subarray(taken.byteLength);
    return taken;
  }

  /** Skips exactly `length` bytes; false when the stream ends before. */
  async skip(length: number): Promise<boolean> {
    let left = length;
    while (left > 0) {
      const part = await this.takeSome(left);
      if (!part) return false;
      left -= part.byteLength;
    }
    return true;
  }

  /** Puts bytes back in front; only allowed while no chunk is half read. */
  unread(bytes: Uint8Array): void {
    this.#chunk = plainView(this.#chunk.byteLength === 0 ? bytes : Buffer.concat([bytes, this.#chunk]));
  }

  /** Everything that has not been taken yet. */
  async *rest(): AsyncGenerator<Uint8Array> {
    for (let chunk = await this.takeSome(); chunk; chunk = await this.takeSome()) yield chunk;
  }

  /** Tells the producer that nobody reads on. Idempotent. */
  async close(): Promise<void> {
    this.#chunk = NOTHING;
    if (this.#ended) return;
    this.#ended = true;
    await this.#iterator.return?.();
  }
}

/** Not a Buffer, whose `slice` is no copy and whose `subarray` costs twice as much. */
function plainView({ buffer, byteOffset, byteLength }: Uint8Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
