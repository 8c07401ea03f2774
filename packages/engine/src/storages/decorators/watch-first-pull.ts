import type { ReplayableBody } from '../../ports/storage.ts';

/** Whether a body may be read a second time. */
export const isReplayable = (body: AsyncIterable<Uint8Array>): boolean =>
  (body as Partial<ReplayableBody>).replayable === true;

/** Passes a body through and remembers whether anybody asked for its first chunk. */
export function watchFirstPull(body: AsyncIterable<Uint8Array>) {
  let isPulled = false;
  const watched: AsyncIterable<Uint8Array> = {
    [Symbol.asyncIterator]() {
      // Opened at the first pull only: an iterator that was returned unused would be spent.
      let inner: AsyncIterator<Uint8Array> | null = null;
      return {
        next() {
          isPulled = true;
          inner ??= body[Symbol.asyncIterator]();
          return inner.next();
        },
        async return() {
          await inner?.return?.();
          return { done: true, value: undefined };
        },
      };
    },
  };
  return { body: watched, isPulled: () => isPulled };
}
