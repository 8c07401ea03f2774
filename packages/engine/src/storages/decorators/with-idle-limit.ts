/**
 * Ends storage calls in which nothing moves. A stuck network file system answers no signal at all, so the caller is let go
 * a moment after the time is over even when the call itself never ends. What counts is the time without progress: a
 * chunk that is taken or given, an object that is listed; time that the caller or the body takes does not count.
 */
import { AppError } from '@backupx/contracts/errors';
import type { Storage } from '../../ports/storage.ts';

export interface IdleLimitOptions {
  readonly seconds: number;
  /** Time a call has to clear up behind it. */
  readonly graceMs?: number;
}

const GRACE_MS = 2_000;

/** Returns a storage that behaves like `storage`, but throws TIMEOUT instead of waiting for ever. */
export function withIdleLimit(storage: Storage, { seconds, graceMs = GRACE_MS }: IdleLimitOptions): Storage {
  const limit = async <T>(what: string, signal: AbortSignal, work: (call: Call) => Promise<T>): Promise<T> => {
    const over = new AbortController();
    const error = new AppError('TIMEOUT', { what, seconds });
    const timers: NodeJS.Timeout[] = [];
    let reject: (reason: AppError) => void = () => {};
    const stuck = new Promise<never>((_, fail) => {
      reject = fail;
    });
    const stop = () => {
      for (const timer of timers.splice(0)) clearTimeout(timer);
    };
    const onOver = () => {
      over.abort(error);
      timers.push(setTimeout(reject, graceMs, error));
    };
    const wait = () => {
      stop();
      if (!over.signal.aborted) timers.push(setTimeout(onOver, seconds * 1000));
    };
    wait();
    try {
      const running = work({ signal: AbortSignal.any([signal, over.signal]), wait, pause: stop });
      running.catch(() => {});
      return await Promise.race([running, stuck]);
    } catch (failure) {
      throw over.signal.aborted && !signal.aborted ? error : failure;
    } finally {
      stop();
    }
  };

  /** Each item has its own limit, so that a slow reader does not count. */
  async function* limitItems<T>(
    what: string,
    signal: AbortSignal,
    open: (signal: AbortSignal) => AsyncIterable<T>,
  ): AsyncGenerator<T> {
    const over = new AbortController();
    const items = open(AbortSignal.any([signal, over.signal]))[Symbol.asyncIterator]();
    let isDone = false;
    try {
      for (;;) {
        const next = await limit(what, signal, async (call) => {
          const onAbort = () => over.abort(call.signal.reason);
          call.signal.addEventListener('abort', onAbort, { once: true });
          return await items.next().finally(() => call.signal.removeEventListener('abort', onAbort));
        });
        isDone = next.done === true;
        if (next.done) return;
        yield next.value;
      }
    } catch (error) {
      isDone = over.signal.aborted;
      throw error;
    } finally {
      // A stuck one cannot be closed either.
      if (!isDone) await items.return?.();
    }
  }

  return {
    put: (key, body, options) =>
      limit(`store ${key}`, options.signal, (call) =>
        storage.put(key, watched(body, call), { ...options, signal: call.signal }),
      ),
    get: (key, options) =>
      limitItems(`read ${key}`, options.signal, (signal) => storage.get(key, { ...options, signal })),
    stat: (key, outer) => limit(`look at ${key}`, outer, ({ signal }) => storage.stat(key, signal)),
    list: (prefix, outer) => limitItems(`list ${prefix}`, outer, (signal) => storage.list(prefix, signal)),
    delete: (key, outer) => limit(`delete ${key}`, outer, ({ signal }) => storage.delete(key, signal)),
    ...(storage.putIfAbsent && {
      putIfAbsent: (key: string, bytes: Uint8Array, outer: AbortSignal) =>
        limit(`store ${key}`, outer, async ({ signal }) => (await storage.putIfAbsent?.(key, bytes, signal)) ?? null),
    }),
    ...(storage.usage && {
      usage: (outer: AbortSignal) =>
        limit('look at the storage', outer, async ({ signal }) => {
          const usage = await storage.usage?.(signal);
          return usage ?? { usedBytes: null, freeBytes: null, totalBytes: null };
        }),
    }),
    ...(storage.close && {
      close: () => limit('close the storage', new AbortController().signal, async () => storage.close?.()),
    }),
  };
}

interface Call {
  readonly signal: AbortSignal;
  /** From now on the storage has to move. */
  wait(): void;
  /** It has nothing to do. */
  pause(): void;
}

/** Passes a body on; it can be read again when it could before. */
function watched(body: AsyncIterable<Uint8Array>, { wait, pause }: Call): AsyncIterable<Uint8Array> {
  async function* pass(): AsyncGenerator<Uint8Array> {
    pause();
    for await (const chunk of body) {
      wait();
      yield chunk;
      pause();
    }
    wait();
  }
  return { ...body, [Symbol.asyncIterator]: pass };
}
