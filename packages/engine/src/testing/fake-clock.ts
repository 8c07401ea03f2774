/** A clock that stands still until a test turns it. */
import type { Clock } from '../ports/clock.ts';

export interface FakeClock extends Clock {
  /** Moves time forward and wakes the sleepers due, earliest first; lets their continuations run in between. */
  advance(ms: number): Promise<void>;
  /** Sleepers waiting now. */
  readonly sleeping: number;
}

interface Sleeper {
  readonly dueMs: number;
  wake(): void;
}

/** Lets every continuation that is ready run, across several levels of awaiting. */
const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Creates a clock that shows `start` (default: 2026-01-01T00:00:00Z). */
export function createFakeClock(start: Date = new Date('2026-01-01T00:00:00Z')): FakeClock {
  let elapsedMs = 0;
  const sleepers = new Set<Sleeper>();

  const nextDue = (limitMs: number): Sleeper | undefined =>
    [...sleepers].filter((sleeper) => sleeper.dueMs <= limitMs).sort((a, b) => a.dueMs - b.dueMs)[0];

  return {
    now: () => new Date(start.getTime() + elapsedMs),
    monotonicMs: () => elapsedMs,
    sleep: (ms, signal) =>
      new Promise<void>((resolve, reject) => {
        if (signal?.aborted) {
          reject(signal.reason);
          return;
        }
        const onAbort = () => {
          sleepers.delete(sleeper);
          reject(signal?.reason);
        };
        const sleeper: Sleeper = {
          dueMs: elapsedMs + ms,
          wake: () => {
            sleepers.delete(sleeper);
            signal?.removeEventListener('abort', onAbort);
            resolve();
          },
        };
        signal?.addEventListener('abort', onAbort, { once: true });
        sleepers.add(sleeper);
      }),
    async advance(ms) {
      const limitMs = elapsedMs + ms;
      await settle();
      for (let due = nextDue(limitMs); due; due = nextDue(limitMs)) {
        elapsedMs = Math.max(elapsedMs, due.dueMs);
        due.wake();
        await settle();
      }
      elapsedMs = limitMs;
    },
    get sleeping() {
      return sleepers.size;
    },
  };
}
