import { systemClock } from './clock.ts';
import type { SourceTotals } from './source.ts';

/** Counts the totals of the source in slices of time, so that reading and messages come first. */
export class TotalsCount {
  readonly #steps: Iterator<SourceTotals> | null;
  readonly #onDone: (totals: SourceTotals) => void;
  #latest: SourceTotals = { items: 0, bytes: 0 };
  #isDone = false;

  constructor(steps: Iterable<SourceTotals> | undefined, onDone: (totals: SourceTotals) => void) {
    this.#steps = steps?.[Symbol.iterator]() ?? null;
    this.#onDone = onDone;
  }

  get isDone(): boolean {
    return this.#isDone || this.#steps === null;
  }

  work(forMs: number): void {
    const endMs = systemClock.monotonicMs() + forMs;
    while (!this.isDone && systemClock.monotonicMs() < endMs) this.#step();
  }

  #step(): void {
    try {
      const next = this.#steps?.next();
      if (next && !next.done) {
        this.#latest = next.value;
        return;
      }
      this.#onDone(this.#latest);
    } catch {
      // Without totals there is no percent; that is all.
    }
    this.#isDone = true;
  }
}
