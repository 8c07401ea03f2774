import { AppError } from '@backupx/contracts/errors';
import { type Clock, systemClock } from '../../ports/clock.ts';
import { isOutage } from '../../ports/is-outage.ts';
import { cancelledError } from '../../ports/pull-body.ts';

export interface RetryOptions {
  /** Calls in all, the first included; during an outage there may be more. */
  readonly attempts: number;
  /** How long after its first failure a call is repeated while nobody answers, in milliseconds; default 0. */
  readonly patienceMs?: number;
  /** Hears, once for each outage, that the patience is needed, and with null that it was not in vain. */
  readonly onOutage?: (error: AppError | null) => void;
  readonly clock?: Clock;
  /** Random number in [0, 1). */
  readonly random?: () => number;
  /** Limit of the first wait; doubles each time. */
  readonly firstDelayMs?: number;
  readonly maxDelayMs?: number;
}

/** One call and its repetitions: how long it waits before the next, and when it gives up. */
export class Tries {
  readonly #options: RetryOptions;
  readonly #clock: Clock;
  readonly #outage: Outage;
  readonly #signal: AbortSignal;
  #count = 0;
  #firstFailureMs = 0;
  /** Another call got through while this one waited, and it failed all the same. */
  #wasWokenInVain = false;

  constructor(options: RetryOptions, outage: Outage, signal: AbortSignal) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#outage = outage;
    this.#signal = signal;
  }

  /** Waits before the next attempt, or throws the error when there is to be none. */
  async waitOrThrow(error: unknown): Promise<void> {
    if (!(error instanceof AppError) || !error.retryable) throw error;
    this.#count += 1;
    const nowMs = this.#clock.monotonicMs();
    if (this.#count === 1) this.#firstFailureMs = nowMs;
    const { attempts, patienceMs = 0, random = Math.random, firstDelayMs = 500, maxDelayMs = 30_000 } = this.#options;
    const leftMs = isOutage(error) ? this.#firstFailureMs + patienceMs - nowMs : 0;
    const isWithinAttempts = this.#count < attempts;
    if (!isWithinAttempts && leftMs <= 0) throw error;
    if (this.#signal.aborted) throw cancelledError(this.#signal);
    const waitMs = random() * Math.min(maxDelayMs, firstDelayMs * 2 ** (this.#count - 1));
    if (isWithinAttempts) return await this.#sleep(waitMs, this.#signal);
    // The last attempt comes when the patience ends, not after.
    await this.#wait(Math.min(waitMs, leftMs), error);
  }

  /**
   * Until another call gets through: then the next attempt comes at once. One that fails even so is throttled, or has a
   * trouble of its own: it waits its time, without a word, or it would be called again with every call of the others.
   */
  async #wait(ms: number, error: AppError): Promise<void> {
    if (this.#wasWokenInVain) {
      this.#wasWokenInVain = false;
      return await this.#sleep(ms, this.#signal);
    }
    this.#outage.begin(error);
    const { over } = this.#outage;
    await this.#sleep(ms, AbortSignal.any([this.#signal, over]));
    this.#wasWokenInVain = over.aborted;
  }

  async #sleep(ms: number, until: AbortSignal): Promise<void> {
    await this.#clock.sleep(ms, until).catch(() => {
      if (this.#signal.aborted) throw cancelledError(this.#signal);
    });
  }
}

/** Many calls fail in one outage; it is told once. */
export class Outage {
  readonly #tell: RetryOptions['onOutage'];
  #isOn = false;
  #over = new AbortController();

  constructor(tell: RetryOptions['onOutage']) {
    this.#tell = tell;
  }

  /** Aborted when the one at hand is over. */
  get over(): AbortSignal {
    return this.#over.signal;
  }

  begin(error: AppError): void {
    if (this.#isOn) return;
    this.#isOn = true;
    this.#tell?.(error);
  }

  end(): void {
    if (!this.#isOn) return;
    this.#isOn = false;
    this.#over.abort();
    this.#over = new AbortController();
    this.#tell?.(null);
  }
}
