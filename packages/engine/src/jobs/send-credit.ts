/** How many chunks of a stream may still be sent; the reader gives more as it takes them. */
export class SendCredit {
  #left: number;
  /** Called when there is credit again. */
  #wake = () => {};

  constructor(chunks: number) {
    this.#left = chunks;
  }

  /** One chunk more. */
  give(): void {
    this.#left += 1;
    this.#wake();
  }

  /** Waits for the right to send one chunk. Throws the signal's reason, also when it was aborted before: a reader that left gives nothing more. */
  async take(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    while (this.#left === 0) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const wake = () => resolve();
      this.#wake = wake;
      signal.addEventListener('abort', wake, { once: true });
      await promise;
      signal.removeEventListener('abort', wake);
      signal.throwIfAborted();
    }
    this.#left -= 1;
  }
}
