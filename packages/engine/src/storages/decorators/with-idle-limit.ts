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
export function withIdleLimit(storage: Storage, options: IdleLimitOptions): Storage {
  const of = (what: string, signal: AbortSignal): Limited => ({ what, signal, options });
  return {
    put: (key, body, putOptions) =>
      limit(of(`store ${key}`, putOptions.signal), (call) =>
        storage.put(key, watched(body, call), { ...putOptions, signal: call.signal }),
      ),
    get: (key, getOptions) =>
      limitItems(of(`read ${key}`, getOptions.signal), (signal) => storage.get(key, { ...getOptions, signal })),
    stat: (key, outer) => limit(of(`look at ${key}`, outer), ({ signal }) => storage.stat(key, signal)),
    list: (prefix, outer) => limitItems(of(`list ${prefix}`, outer), (signal) => storage.list(prefix, signal)),
    delete: (key, outer) => limit(of(`delete ${key}`, outer), ({ signal }) => storage.delete(key, signal)),
    ...(storage.putIfAbsent && {
      putIfAbsent: (key: string, bytes: Uint8Array, outer: AbortSignal) =>
        limit(
          of(`store ${key}`, outer),
          async ({ signal }) => (await storage.putIfAbsent?.(key, bytes, signal)) ?? null,
        ),
    }),
    ...(storage.usage && {
      usage: (outer: AbortSignal) =>
        limit(of('look at the storage', outer), async ({ signal }) => {
          const usage = await storage.usage?.(signal);
          return usage ?? { usedBytes: null, freeBytes: null, totalBytes: null };
        }),
    }),
    ...(storage.close && {
      close: () => limit(of('close the storage', new AbortController().signal), async () => storage.close?.()),
    }),
  };
}

interface Limited {
  /** For the message. */
  readonly what: string;
  readonly signal: AbortSignal;
  readonly options: IdleLimitOptions;
}

interface Call {
  readonly signal: AbortSignal;
  /** From now on the storage has to move. */
  wait(): void;
  /** It has nothing to do. */
  pause(): void;
}

/** The clock of one call. */
class IdleClock implements Call {
  readonly signal: AbortSignal;
  readonly #limited: Limited;
  readonly #error: AppError;
  readonly #over = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #giveUp: (error: AppError) => void = () => {};

  constructor(limited: Limited) {
    this.#limited = limited;
    this.#error = new AppError('TIMEOUT', { what: limited.what, seconds: limited.options.seconds });
    this.signal = AbortSignal.any([limited.signal, this.#over.signal]);
  }

  get isOver(): boolean {
    return this.#over.signal.aborted;
  }

  wait(): void {
    if (this.isOver) return;
    clearTimeout(this.#timer);
    const { seconds, graceMs = GRACE_MS } = this.#limited.options;
    this.#timer = setTimeout(() => {
      this.#over.abort(this.#error);
      this.#timer = setTimeout(() => this.#giveUp(this.#error), graceMs);
    }, seconds * 1000);
  }

  pause(): void {
    if (!this.isOver) clearTimeout(this.#timer);
  }

  /** Ends with what is running, or without it when that does not move; `wait` comes before. */
  async run<T>(running: Promise<T>): Promise<T> {
    try {
      // Not `Promise.race`: what loses would be kept for as long as the clock.
      return await new Promise<T>((resolve, reject) => {
        this.#giveUp = reject;
        running.then(resolve, reject);
      });
    } catch (failure) {
      throw this.isOver && !this.#limited.signal.aborted ? this.#error : failure;
    } finally {
      clearTimeout(this.#timer);
    }
  }
}

function limit<T>(limited: Limited, work: (call: Call) => Promise<T>): Promise<T> {
  const clock = new IdleClock(limited);
  clock.wait();
  return clock.run(work(clock));
}

/** Each item has its own limit, so that a slow reader does not count. */
async function* limitItems<T>(limited: Limited, open: (signal: AbortSignal) => AsyncIterable<T>): AsyncGenerator<T> {
  const clock = new IdleClock(limited);
  const items = open(clock.signal)[Symbol.asyncIterator]();
  let isDone = false;
  try {
    for (;;) {
      clock.wait();
      const next = await clock.run(items.next());
      isDone = next.done === true;
      if (next.done) return;
      yield next.value;
    }
  } finally {
    // A stuck one cannot be closed either, and one that was not may be by now.
    if (!isDone && !clock.isOver && items.return) {
      clock.wait();
      await clock.run(items.return());
    }
  }
}

/** Passes a body on; it can be read again when it could before. */
function watched(body: AsyncIterable<Uint8Array>, call: Call): AsyncIterable<Uint8Array> {
  async function* pass(): AsyncGenerator<Uint8Array> {
    call.pause();
    for await (const chunk of body) {
      call.wait();
      yield chunk;
      call.pause();
    }
    call.wait();
  }
  return { ...body, [Symbol.asyncIterator]: pass };
}
