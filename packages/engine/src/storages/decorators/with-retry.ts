/**
 * Repeats storage calls whose AppError says `retryable`, with full-jitter back-off (each wait is a random part of a
 * doubling limit, so that many agents do not come back in step). What only says that nobody answers is repeated for as
 * long as the patience lasts: a master that is restarted, or a storage behind a broken line, must not end a run of hours.
 *
 * A put is repeated only while its body is untouched or can be read again (`replayable` in `ports/storage.ts`), a get or
 * list only until its first item went out, since what was handed on cannot be taken back. With patience, a get goes on
 * at the byte where it broke (who reads with patience compares a checksum at the end) and a list after what it gave.
 */
import { AppError } from '@backupx/contracts/errors';
import type { Storage } from '../../ports/storage.ts';
import { repeatGet } from './repeat-get.ts';
import { repeatList } from './repeat-list.ts';
import { Outage, type RetryOptions, Tries } from './tries.ts';
import { isReplayable, watchFirstPull } from './watch-first-pull.ts';

/** Returns a storage that behaves like `storage`, but repeats what failed for a passing reason. */
export function withRetry(storage: Storage, options: RetryOptions): Storage {
  const outage = new Outage(options.onOutage);
  const repeated = { storage, options, outage };

  const repeat = async <T>(signal: AbortSignal, call: () => Promise<T>, mayRepeat = () => true): Promise<T> => {
    for (const tries = new Tries(options, outage, signal); ; ) {
      try {
        const result = await call();
        outage.end();
        return result;
      } catch (error) {
        if (!mayRepeat()) throw error;
        await tries.waitOrThrow(error);
      }
    }
  };

  return {
    isPatient: (options.patienceMs ?? 0) > 0,
    put: (key, body, putOptions) => {
      const watched = watchFirstPull(body);
      const mayRepeat = () => isReplayable(body) || !watched.isPulled();
      return repeat(putOptions.signal, () => storage.put(key, watched.body, putOptions), mayRepeat);
    },
    get: (key, getOptions) => repeatGet(repeated, key, getOptions),
    stat: (key, signal) => repeat(signal, () => storage.stat(key, signal)),
    list: (prefix, signal) => repeatList(repeated, prefix, signal),
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
