/**
 * Repeats storage calls whose AppError says `retryable`, with full-jitter back-off (each wait is a random part of a
 * doubling limit, so that many agents do not come back in step).
 *
 * A put is repeated only while its body is untouched or can be read again (`replayable` in `ports/storage.ts`);
 * a get or list only until its first item went out, since what was handed on cannot be taken back.
 */
import { AppError } from '@backupx/contracts/errors';
import { type Clock, systemClock } from '../../ports/clock.ts';
import { cancelledError } from '../../ports/pull-body.ts';
import type { ReplayableBody, Storage } from '../../ports/storage.ts';

export interface RetryOptions {
  /** Calls in all, the first included. */
  readonly attempts: number;
  readonly clock?: Clock;
  /** Random number in [0, 1). */
  readonly random?: () => number;
  /** Limit of the first wait; doubles each time. */
  readonly firstDelayMs?: number;
  readonly maxDelayMs?: number;
}

/** Returns a storage that behaves like `storage`, but repeats what failed for a passing reason. */
export function withRetry(storage: Storage, options: RetryOptions): Storage {
  const { attempts, clock = systemClock, random = Math.random, firstDelayMs = 500, maxDelayMs = 30_000 } = options;

  /** Waits before attempt number `attempt + 1`, or throws the error when there is to be none. */
  const waitOrThrow = async (error: unknown, attempt: number, signal: AbortSignal): Promise<void> => {
    const isRetryable = error instanceof AppError && error.retryable;
    if (!isRetryable || attempt >= attempts) throw error;
    if (signal.aborted) throw cancelledError(signal);
    const limitMs = Math.min(maxDelayMs, firstDelayMs * 2 ** (attempt - 1));
    await clock.sleep(random() * limitMs, signal).catch(() => {
      throw cancelledError(signal);
    });
  };

  const repeat = async <T>(signal: AbortSignal, call: () => Promise<T>, mayRepeat = () => true): Promise<T> => {
    for (let attempt = 1; ; attempt++) {
      try {
        return await call();
      } catch (error) {
        if (!mayRepeat()) throw error;
        await waitOrThrow(error, attempt, signal);
      }
    }
  };

  async function* repeatStream<T>(signal: AbortSignal, open: () => AsyncIterable<T>): AsyncGenerator<T> {
    for (let attempt = 1; ; attempt++) {
      let hasYielded = false;
      try {
        for await (const item of open()) {
          hasYielded = true;
          yield item;
        }
        return;
      } catch (error) {
        if (hasYielded) throw error;
        await waitOrThrow(error, attempt, signal);
      }
    }
  }

  return {
    put: (key, body, putOptions) => {
      const watched = watchFirstPull(body);
      const mayRepeat = () => isReplayable(body) || !watched.isPulled();
      return repeat(putOptions.signal, () => storage.put(key, watched.body, putOptions), mayRepeat);
    },
    get: (key, getOptions) => repeatStream(getOptions.signal, () => storage.get(key, getOptions)),
    stat: (key, signal) => repeat(signal, () => storage.stat(key, signal)),
    list: (prefix, signal) => repeatStream(signal, () => storage.list(prefix, signal)),
    delete: (key, signal) => repeat(signal, () => storage.delete(key, signal)),
    ...repeatExtras(storage, repeat),
    ...(storage.close && { close: async () => storage.close?.() }),
  };
}

type Repeat = <T>(signal: AbortSignal, call: () => Promise<T>) => Promise<T>;

/** What only some storages offer. */
function repeatExtras(storage: Storage, repeat: Repeat): Partial<Storage> {
  return {
    ...(storage.readInto && {
      readInto: (key: string, target: Uint8Array, readOptions: { signal: AbortSignal; start: number }) =>
        repeat(readOptions.signal, async () => required(await storage.readInto?.(key, target, readOptions))),
    }),
    // An answer that was lost makes the second attempt find the object of the first: the caller must look whose it is.
    ...(storage.putIfAbsent && {
      putIfAbsent: (key: string, bytes: Uint8Array, signal: AbortSignal) =>
        repeat(signal, async () => required(await storage.putIfAbsent?.(key, bytes, signal))),
    }),
    ...(storage.usage && {
      usage: (signal: AbortSignal) => repeat(signal, async () => required(await storage.usage?.(signal))),
    }),
  };
}

function required<T>(value: T | undefined): T {
  if (value === undefined) throw new AppError('STORAGE_FAILED', { reason: 'it gave no answer' });
  return value;
}

const isReplayable = (body: AsyncIterable<Uint8Array>): boolean =>
  (body as Partial<ReplayableBody>).replayable === true;

/** Passes a body through and remembers whether anybody asked for its first chunk. */
function watchFirstPull(body: AsyncIterable<Uint8Array>) {
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
