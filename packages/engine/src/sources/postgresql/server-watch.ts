/**
 * Asks a server for a sign of life while a program works on it. One that stands still (a stopped process, a frozen machine)
 * keeps its connections, and its system goes on answering for it: neither keepalives nor the program would ever end that.
 */
import { AppError } from '@backupx/contracts/errors';
import { systemClock } from '../../ports/clock.ts';
import type { PsqlSession } from './psql-session.ts';

const EVERY_MS = 60_000;
/** Much longer than a server under load takes. */
const LIMIT_MS = 300_000;

export interface WatchTimes {
  readonly everyMs: number;
  /** Who has not answered after so long is taken for gone. */
  readonly limitMs: number;
}

/** See above; from its making until `stop`. Nobody else may use the session meanwhile. */
export class ServerWatch {
  /** Ends the program: that of the run has, or the server is gone. */
  readonly signal: AbortSignal;
  readonly #gone = new AbortController();
  readonly #stop = new AbortController();
  readonly #ended: Promise<void>;
  #failure: AppError | null = null;

  constructor(session: PsqlSession, signal: AbortSignal, times: WatchTimes = { everyMs: EVERY_MS, limitMs: LIMIT_MS }) {
    this.signal = AbortSignal.any([signal, this.#gone.signal]);
    this.#ended = this.#ask(session, AbortSignal.any([signal, this.#stop.signal]), times);
  }

  /** What became of the server; null: it answers. */
  get failure(): AppError | null {
    return this.#failure;
  }

  async #ask(session: PsqlSession, signal: AbortSignal, { everyMs, limitMs }: WatchTimes): Promise<void> {
    try {
      for (;;) {
        await systemClock.sleep(everyMs, signal);
        await session.query('SELECT 1 AS alive', limitMs);
      }
    } catch (error) {
      if (signal.aborted) return;
      this.#failure = error instanceof AppError ? error : new AppError('INTERNAL', {}, { cause: error });
      this.#gone.abort();
    }
  }

  /** Resolves when the session is free again. Idempotent. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#ended;
  }
}
