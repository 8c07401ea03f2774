/** Takes bytes by number from a stream that comes in pieces of any size. */
export class StreamCursor {
  readonly #pieces: AsyncIterator<Uint8Array>;
  #rest: Uint8Array = new Uint8Array(0);

  constructor(stream: AsyncIterable<Uint8Array>) {
    this.#pieces = stream[Symbol.asyncIterator]();
  }

  /** Exactly `count` bytes. Null: the stream has ended before the first of them; a short answer: in the middle. */
  async take(count: number): Promise<Buffer | null> {
    const parts: Uint8Array[] = [];
    let missing = count;
    while (missing > 0) {
      const part = await this.piece(missing);
      if (part === null) break;
      parts.push(part);
      missing -= part.byteLength;
    }
    return missing === count && count > 0 ? null : Buffer.concat(parts);
  }

  /** The next bytes as they came, at most `most`; null at the end. */
  async piece(most: number): Promise<Uint8Array | null> {
    while (this.#rest.byteLength === 0) {
      const next = await this.#pieces.next();
      if (next.done) return null;
      this.#rest = next.value;
    }
    const part = this.#rest.subarray(0, most);
    this.#rest = this.#rest.subarray(part.byteLength);
    return part;
  }

  /** Says that nothing more is wanted. */
  async close(): Promise<void> {
    await this.#pieces.return?.();
  }
}
