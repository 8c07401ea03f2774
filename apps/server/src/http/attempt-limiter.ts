/** Counts attempts per key (address, user name) in memory, so that passwords cannot be guessed by trying. */
import { AppError } from '@backupx/contracts/errors';

export interface AttemptLimiter {
  /** Counts one attempt, or throws RATE_LIMITED with the seconds to wait. Counted before the check, so that a burst of parallel attempts cannot slip through. */
  take(key: string): void;
  /** Forgets a key after a success. */
  forgive(key: string): void;
}

/** Beyond this the oldest keys are forgotten: memory stays bounded whoever sends what. */
const MAX_KEYS = 10_000;

export function createAttemptLimiter(options: {
  readonly attempts: number;
  readonly windowMs: number;
  /** Milliseconds on a clock that never jumps. */
  readonly monotonicMs: () => number;
}): AttemptLimiter {
  const windows = new Map<string, { count: number; endsAt: number }>();
  return {
    take(key) {
      const now = options.monotonicMs();
      let window = windows.get(key);
      if (!window || window.endsAt <= now) {
        window = { count: 0, endsAt: now + options.windowMs };
        windows.delete(key);
        windows.set(key, window);
        if (windows.size > MAX_KEYS) windows.delete(windows.keys().next().value ?? '');
      }
      if (window.count >= options.attempts) {
        throw new AppError('RATE_LIMITED', { retryAfterSeconds: Math.max(1, Math.ceil((window.endsAt - now) / 1000)) });
      }
      window.count += 1;
    },
    forgive(key) {
      windows.delete(key);
    },
  };
}
