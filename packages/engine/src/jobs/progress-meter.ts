import type { JobPhase, JobProgress } from '@backupx/contracts/jobs';
import { type Clock, systemClock } from '../ports/clock.ts';
import type { Reporter } from '../ports/reporter.ts';

const REPORT_EVERY_MS = 500;
/** Weight of the newest half second in the rate; the rest is history (about five seconds of it). */
const SMOOTHING = 0.1;
/** An item costs about as much as this many bytes; keeps percent honest when files are small. */
const ITEM_WEIGHT_BYTES = 4096;

type Counters = Pick<JobProgress, 'itemsDone' | 'bytesDone' | 'bytesStored' | 'currentItem' | 'problemCount'>;

/**
 * Turns counters into progress reports: at once when the phase changes, otherwise twice a second at most.
 * `storedTotal` (restore, verify): percent and remaining time come from the bytes read from storage.
 */
export class ProgressMeter {
  readonly counters: { -readonly [K in keyof Counters]: Counters[K] } = {
    itemsDone: 0,
    bytesDone: 0,
    bytesStored: 0,
    currentItem: null,
    problemCount: 0,
  };
  readonly #reporter: Reporter;
  readonly #clock: Clock;
  readonly #storedTotal: number | null;
  readonly #timer: NodeJS.Timeout;
  #totals: { items: number; bytes: number } | null = null;
  #phase: JobPhase = 'preparing';
  #lastAtMs: number;
  #lastBytes = 0;
  #lastWork = 0;
  #bytesPerSecond = 0;
  #workPerSecond = 0;

  constructor(reporter: Reporter, options: { clock?: Clock; storedTotal?: number | null } = {}) {
    this.#reporter = reporter;
    this.#clock = options.clock ?? systemClock;
    this.#storedTotal = options.storedTotal ?? null;
    this.#lastAtMs = this.#clock.monotonicMs();
    this.#timer = setInterval(() => this.report(), REPORT_EVERY_MS);
    this.#timer.unref();
  }

  setTotals(totals: { items: number; bytes: number } | null): void {
    this.#totals = totals;
  }

  enter(phase: JobPhase): void {
    this.#phase = phase;
    this.#reporter.progress(this.snapshot());
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Measures the rate since the last report and sends one. */
  report(): void {
    const nowMs = this.#clock.monotonicMs();
    const seconds = (nowMs - this.#lastAtMs) / 1000;
    if (seconds > 0) {
      this.#bytesPerSecond = smooth(this.#bytesPerSecond, (this.counters.bytesDone - this.#lastBytes) / seconds);
      this.#workPerSecond = smooth(this.#workPerSecond, (this.#workDone() - this.#lastWork) / seconds);
    }
    this.#lastAtMs = nowMs;
    this.#lastBytes = this.counters.bytesDone;
    this.#lastWork = this.#workDone();
    this.#reporter.progress(this.snapshot());
  }

  snapshot(): JobProgress {
    const total = this.#workTotal();
    const done = this.#workDone();
    const share = total === null || total === 0 ? null : Math.min(1, done / total);
    const left = total === null ? null : Math.max(0, total - done);
    return {
      ...this.counters,
      phase: this.#phase,
      itemsTotal: this.#totals?.items ?? null,
      bytesTotal: this.#totals?.bytes ?? null,
      bytesPerSecond: Math.round(this.#bytesPerSecond),
      percent: this.#phase === 'done' ? 100 : share === null ? null : Math.round(share * 1000) / 10,
      etaSeconds: left === null || this.#workPerSecond <= 0 ? null : Math.ceil(left / this.#workPerSecond),
    };
  }

  #workDone(): number {
    if (this.#storedTotal !== null) return this.counters.bytesStored;
    return this.counters.bytesDone + this.counters.itemsDone * ITEM_WEIGHT_BYTES;
  }

  #workTotal(): number | null {
    if (this.#storedTotal !== null) return this.#storedTotal;
    return this.#totals && this.#totals.bytes + this.#totals.items * ITEM_WEIGHT_BYTES;
  }
}

function smooth(average: number, sample: number): number {
  return average === 0 ? sample : average + SMOOTHING * (sample - average);
}
