/**
 * Reading a body inside a storage adapter: cancellable although the body hangs, and with the body's own errors kept
 * apart from those of the place, so that a failing source never looks like a failing storage.
 */
import { AppError } from '@backupx/contracts/errors';

/** Wraps what the body itself threw; adapters rethrow `cause` unchanged. */
export class BodyFailure extends Error {
  constructor(cause: unknown) {
    super('the body failed', { cause });
    this.name = 'BodyFailure';
  }
}

/** The error a cancelled storage call ends with; an AppError given as the abort reason goes through unchanged. */
export function cancelledError(signal: AbortSignal): AppError {
  return signal.reason instanceof AppError ? signal.reason : new AppError('CANCELLED', {}, { cause: signal.reason });
}

/** Throws the error of `cancelledError` when the signal is aborted. */
export function throwIfCancelled(signal: AbortSignal): void {
  if (signal.aborted) throw cancelledError(signal);
}

/** Settles like `promise`, or rejects with `cancelledError` as soon as the signal is aborted. */
export async function orCancelled<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  let onAbort: (() => void) | undefined;
  const cancelled = new Promise<never>((_, reject) => {
    onAbort = () => reject(cancelledError(signal));
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([promise, cancelled]);
  } finally {
    if (onAbort) signal.removeEventListener('abort', onAbort);
  }
}

/**
 * Yields the chunks of `body`. Throws `BodyFailure` when the body throws and `CANCELLED` when the signal is aborted,
 * even while the body is waiting for something. The body is told to clean up when the reader stops early.
 */
export async function* pullBody(body: AsyncIterable<Uint8Array>, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  throwIfCancelled(signal);
  const iterator = body[Symbol.asyncIterator]();
  let state: 'idle' | 'pulling' | 'done' = 'idle';
  try {
    for (;;) {
      state = 'pulling';
      const next = iterator.next();
      next.catch(() => {}); // a pull that is given up may fail later; nobody waits for it any more
      const result = await orCancelled(
        next.catch((error: unknown) => {
          state = 'done';
          throw new BodyFailure(error);
        }),
        signal,
      );
      state = result.done ? 'done' : 'idle';
      if (result.done) return;
      if (result.value.byteLength > 0) yield result.value;
    }
  } finally {
    // A pending pull may hang for ever, and `return` would queue behind it: ask, but do not wait.
    if (state === 'idle') await iterator.return?.().catch(() => {});
    else if (state === 'pulling') iterator.return?.().catch(() => {});
  }
}
