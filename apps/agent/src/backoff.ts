/** Waiting times between attempts: full jitter over a ceiling that doubles from `baseMs` to `capMs`. */
export interface Backoff {
  /** Milliseconds to wait before the next attempt; never shorter than what the master asked for. */
  next(retryAfterMs?: number): number;
  reset(): void;
}

export function createBackoff(baseMs = 1000, capMs = 60_000, random: () => number = Math.random): Backoff {
  let attempt = 0;
  return {
    next(retryAfterMs = 0) {
      const ceilingMs = Math.min(capMs, baseMs * 2 ** Math.min(attempt, 20));
      attempt += 1;
      // At least a fifth of the ceiling: a draw near zero would only be a busy loop.
      return Math.max(retryAfterMs, ceilingMs * (0.2 + 0.8 * random()));
    },
    reset() {
      attempt = 0;
    },
  };
}
