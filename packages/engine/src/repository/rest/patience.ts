/**
 * A limit on waiting for the other side. Only time spent waiting counts: a reader that takes its time over what it was
 * given, or a source that is slow to give more, is not the other side's fault.
 */
export interface Patience {
  /** Settles like `promise`; `onSilence` is called when that takes too long. */
  wait<T>(promise: Promise<T>): Promise<T>;
  /** Must be called at the end. */
  stop(): void;
}

export function createPatience(limitMs: number, onSilence: () => void): Patience {
  let waiting = 0;
  const timer = setTimeout(() => {
    if (waiting > 0) onSilence();
  }, limitMs);
  return {
    async wait(promise) {
      waiting += 1;
      timer.refresh();
      try {
        return await promise;
      } finally {
        waiting -= 1;
      }
    },
    stop: () => clearTimeout(timer),
  };
}

/** Passes on what `items` gives, and waits for each with patience. */
export async function* patiently<T>(patience: Patience, items: AsyncIterable<T>): AsyncGenerator<T> {
  const iterator = items[Symbol.asyncIterator]();
  for (;;) {
    const { done, value } = await patience.wait(iterator.next());
    if (done) return;
    yield value;
  }
}
