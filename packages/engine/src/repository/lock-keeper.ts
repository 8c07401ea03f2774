/** Keeps a lock fresh until it is released, and says when that could not be done. */
import { AppError } from '@backupx/contracts/errors';
import { type Clock, waitAtMost } from '../ports/clock.ts';
import { orCancelled } from '../ports/pull-body.ts';
import { listLocks, type StoredLock } from './lock-list.ts';
import { isLockLost, lockLostError } from './lock-lost.ts';
import type { Repository } from './open-repository.ts';

const REFRESH_MS = 5 * 60_000;
/** Restic's 30 minutes, less a margin of a quarter. */
const LOST_AFTER_MS = 22.5 * 60_000;
const RETRY_MS = 60_000;
const CLEANUP_MS = 30_000;

export interface KeepLockOptions {
  readonly repository: Repository;
  readonly clock: Clock;
  /** File that holds the lock now. */
  readonly firstId: string;
  /** The time in it, by both clocks. */
  readonly writtenAt: { readonly ms: number; readonly time: Date };
  /** Writes the lock anew, with the present time. */
  readonly write: (signal: AbortSignal) => Promise<string>;
  /** Whether somebody else's locks forbid ours. */
  readonly isForbidden: (others: readonly StoredLock[]) => boolean;
  readonly onLost: (error: AppError) => void;
}

/** See `HeldLock`. */
export interface KeptLock {
  readonly id: string;
  /** Throws REPOSITORY_LOCK_LOST when it has grown so old that others may have taken it for stale, and cannot be renewed. */
  assertHeld(): Promise<void>;
  release(): Promise<void>;
}

/** Starts refreshing. */
export function keepLock(options: KeepLockOptions): KeptLock {
  const keeper = new LockKeeper(options);
  keeper.start();
  return keeper;
}

class LockKeeper {
  readonly #options: KeepLockOptions;
  readonly #stop = new AbortController();
  /** All files of ours that may still be there, the newest last. */
  #ids: string[];
  #running: Promise<void> = Promise.resolve();
  /** The write under way, or the last one. */
  #writing: Promise<unknown> = Promise.resolve();
  #released: Promise<void> | undefined;
  /** Ends with the last refresh that was asked for. */
  #turns: Promise<void> = Promise.resolve();
  /** Once it is lost it stays so: the file that was written meanwhile proves nothing. */
  #lost: AppError | null = null;
  #freshMs: number;
  #freshAt: Date;

  constructor(options: KeepLockOptions) {
    this.#options = options;
    this.#ids = [options.firstId];
    this.#freshMs = options.writtenAt.ms;
    this.#freshAt = options.writtenAt.time;
  }

  get id(): string {
    return this.#ids.at(-1) ?? this.#options.firstId;
  }

  /**
   * The sleeper below wakes by a clock that stands still while the machine sleeps: for minutes after that nobody would
   * know that the lock is gone, and with it perhaps packs that an index was about to name.
   */
  async assertHeld(): Promise<void> {
    if (this.#lost) throw this.#lost;
    if (this.#ageMs() < LOST_AFTER_MS) return;
    await this.#inTurn(async () => {
      if (this.#lost || this.#ageMs() >= LOST_AFTER_MS) await this.#refreshOrLose();
    });
  }

  /** Says that it is lost before the next turn begins; whoever releases it has no use for that. */
  async #refreshOrLose(): Promise<void> {
    if (this.#lost) throw this.#lost;
    try {
      await this.#refresh();
    } catch (error) {
      if (this.#ageMs() < LOST_AFTER_MS && !isLockLost(error)) throw error;
      this.#lost = lockLostError(error);
      if (!this.#stop.signal.aborted) this.#options.onLost(this.#lost);
      throw this.#lost;
    }
  }

  start(): void {
    this.#running = this.#keep();
  }

  release(): Promise<void> {
    this.#released ??= this.#release();
    return this.#released;
  }

  async #release(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    await this.#turns;
    // A write that was given up may have come through all the same.
    await waitAtMost(this.#options.clock, this.#writing, CLEANUP_MS);
    const signal = AbortSignal.timeout(CLEANUP_MS);
    await Promise.all(this.#ids.map((id) => this.#options.repository.removeFile('locks', id, signal).catch(() => {})));
  }

  async #keep(): Promise<void> {
    const { clock } = this.#options;
    const { signal } = this.#stop;
    let waitMs = this.#untilOldMs();
    for (;;) {
      await clock.sleep(waitMs, signal).catch(() => {});
      if (signal.aborted) return;
      try {
        await this.#inTurn(() => this.#refreshOrLose());
        waitMs = this.#untilOldMs();
      } catch {
        if (signal.aborted || this.#lost) return;
        waitMs = Math.min(RETRY_MS, LOST_AFTER_MS - this.#ageMs());
      }
    }
  }

  /** Since the last refresh. */
  #ageMs(): number {
    return this.#sinceMs({ ms: this.#freshMs, time: this.#freshAt });
  }

  /** By the wall clock too, since the other stands still while a machine sleeps. */
  #sinceMs({ ms, time }: KeepLockOptions['writtenAt']): number {
    const { clock } = this.#options;
    return Math.max(clock.monotonicMs() - ms, clock.now().getTime() - time.getTime());
  }

  /** Until the next refresh: a write that was waited for brings a lock that is old already. */
  #untilOldMs(): number {
    return Math.max(0, REFRESH_MS - this.#ageMs());
  }

  /** One after the other: a look at the locks beside another's change of the file would not find ours. */
  #inTurn(act: () => Promise<void>): Promise<void> {
    const done = this.#turns.then(act);
    this.#turns = done.catch(() => {});
    return done;
  }

  /** Writes the new file, then removes the old. Given up when the lock would be lost before it ends. */
  async #refresh(): Promise<void> {
    const { clock, repository } = this.#options;
    const leftMs = LOST_AFTER_MS - this.#ageMs();
    const giveUp = new AbortController();
    const signal = AbortSignal.any([this.#stop.signal, giveUp.signal]);
    const timer = new AbortController();
    const deadline = clock.sleep(leftMs > 0 ? leftMs : RETRY_MS, timer.signal).then(
      () => giveUp.abort(new AppError('TIMEOUT', { what: 'Refreshing the lock', seconds: 0 })),
      () => {},
    );
    try {
      const held = [...this.#ids];
      const [startMs, startAt] = [clock.monotonicMs(), clock.now()];
      const seen = leftMs > 0 ? { ms: this.#freshMs, time: this.#freshAt } : { ms: startMs, time: startAt };
      // Others may have taken us for dead meanwhile, and removed the lock.
      if (leftMs <= 0) await this.#assertStillOurs(held, signal);
      const writing = this.#options.write(signal).then((id) => this.#ids.push(id));
      this.#writing = writing.catch(() => {});
      await orCancelled(writing, signal);
      // Also while it was written: of that the new file says nothing, but those before it do.
      if (this.#sinceMs(seen) >= LOST_AFTER_MS) await this.#assertStillOurs(held, signal);
      this.#freshMs = startMs;
      this.#freshAt = startAt;
      await this.#removeOld(repository, signal);
    } finally {
      timer.abort();
      await deadline;
    }
  }

  async #removeOld(repository: Repository, signal: AbortSignal): Promise<void> {
    for (const id of this.#ids.slice(0, -1)) {
      try {
        await orCancelled(repository.removeFile('locks', id, signal), signal);
        this.#ids = this.#ids.filter((other) => other !== id);
      } catch {
        // Tried again at the next refresh; until then it is one more shared or exclusive lock of ours.
      }
    }
  }

  /** One of `held` must still be there. */
  async #assertStillOurs(held: readonly string[], signal: AbortSignal): Promise<void> {
    const locks = await orCancelled(listLocks(this.#options.repository, signal), signal);
    const others = locks.filter((lock) => !this.#ids.includes(lock.id));
    if (!locks.some((lock) => held.includes(lock.id)) || this.#options.isForbidden(others)) {
      throw lockLostError(new Error('others took it for stale while this machine slept'));
    }
  }
}
