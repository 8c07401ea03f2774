/**
 * From the spool into the archive: each log that is whole, and the one that is being written as far as it is. A log leaves
 * the spool when it is stored; while the storage takes nothing it stays, and is tried again.
 */
import { createReadStream } from 'node:fs';
import { AppError } from '@backupx/contracts/errors';
import { describeError } from '../direct-storage/describe-error.ts';
import { mayStorageRecover } from '../direct-storage/follow-tool.ts';
import type { Clock } from '../ports/clock.ts';
import { nameWith, numberOf } from './binlog-names.ts';
import type { BinlogStore, StoredBinlog } from './binlog-store.ts';
import { findBreak, type LogIdentity } from './find-break.ts';
import { describeGap } from './find-log-gaps.ts';
import { readBinlog } from './read-binlog.ts';
import type { SpoolFolder } from './spool-folder.ts';

export interface StoringOptions {
  readonly store: BinlogStore;
  readonly spool: SpoolFolder;
  readonly partialIntervalMs: number;
  readonly signal: AbortSignal;
  readonly clock: Clock;
  log(message: string): void;
}

/** Where one run of the program goes on. */
export interface StoringStart {
  /** The log that is to come next into the archive. */
  readonly next: string;
  /** The newest whole one in it. */
  readonly last: LogIdentity | null;
}

/** Shorter ones may not even have their first event yet. */
const FIRST_EVENT_BYTES = 512;

/** See above; of one run of the program. */
export class LogStoring {
  readonly #options: StoringOptions;
  #next: string;
  #last: LogIdentity | null;
  #storedPartial = '';
  #lastPartialMs: number;
  #arrived = 0;
  /** Why the storage takes nothing at the moment; told once. */
  #trouble: string | null = null;

  constructor(options: StoringOptions, { next, last }: StoringStart) {
    this.#options = options;
    this.#next = next;
    this.#last = last;
    this.#lastPartialMs = options.clock.monotonicMs();
  }

  /** True: something came. */
  get isFruitful(): boolean {
    return this.#arrived > 0;
  }

  /**
   * True: all that is whole is stored, and when its time has come, the rest. False: the storage failed, which may pass.
   * Throws BINLOG_GAP, BINLOG_CONFLICT, BINLOG_DAMAGED, CANCELLED.
   */
  async store({ isPartialDue }: { readonly isPartialDue: boolean }): Promise<boolean> {
    try {
      await this.#storeWhole();
      await this.#storePartial(isPartialDue);
      this.#trouble = null;
      return true;
    } catch (error) {
      if (!mayStorageRecover(error)) throw error;
      const trouble = describeError(error);
      if (trouble !== this.#trouble)
        this.#options.log(`${trouble} It is tried again; meanwhile logs stay in the spool.`);
      this.#trouble = trouble;
      return false;
    }
  }

  /** The program has left all but the last, so those are whole. */
  async #storeWhole(): Promise<void> {
    const { spool } = this.#options;
    for (const { name } of spool.logs().slice(0, -1)) {
      this.#arrived += 1;
      if (numberOf(name) !== numberOf(this.#next)) {
        const last = nameWith(name, numberOf(name) - 1);
        throw new AppError('BINLOG_GAP', { logs: describeGap({ first: this.#next, last }) });
      }
      this.#last = await storeWholeLog(this.#options, name, this.#last);
      this.#next = nameWith(name, numberOf(name) + 1);
      this.#storedPartial = '';
    }
  }

  async #storePartial(isDue: boolean): Promise<void> {
    const { spool, clock, partialIntervalMs } = this.#options;
    if (!isDue && clock.monotonicMs() - this.#lastPartialMs < partialIntervalMs) return;
    this.#lastPartialMs = clock.monotonicMs();
    const last = spool.logs().at(-1);
    if (!last || last.sizeBytes === 0) return;
    this.#arrived += 1;
    const seen = `${last.name} ${last.sizeBytes}`;
    if (seen === this.#storedPartial) return;
    await storePartialLog(this.#options, last, this.#last);
    this.#storedPartial = seen;
  }
}

/** Takes it out of the spool. Throws BINLOG_*, STORAGE_*. */
export async function storeWholeLog(
  { spool, store, signal, log }: StoringOptions,
  name: string,
  previous: LogIdentity | null,
): Promise<StoredBinlog> {
  const read = () => createReadStream(spool.at(name));
  const facts = await readBinlog(read(), { name });
  assertFollows(previous, { name, ...facts, gtids: [...facts.gtids], startGtids: [...facts.startGtids] });
  const stored = await store.put(name, facts, { read, isPartial: false, signal });
  log(`${name}: ${facts.sizeBytes} bytes with ${facts.transactions} transactions stored.`);
  spool.remove(name);
  return stored;
}

/** Leaves it where it is. Throws BINLOG_*, STORAGE_*. */
export async function storePartialLog(
  { spool, store, signal, log }: StoringOptions,
  { name, sizeBytes }: { readonly name: string; readonly sizeBytes: number },
  previous: LogIdentity | null,
): Promise<void> {
  // It may grow meanwhile: what is judged is what is stored.
  const judged = createReadStream(spool.at(name), { end: sizeBytes - 1 });
  const facts = await readBinlog(judged, { name, isPartial: true }).catch((error: unknown) => {
    // Not even the first event is there yet.
    if (error instanceof AppError && sizeBytes < FIRST_EVENT_BYTES) return null;
    throw error;
  });
  if (!facts) return;
  assertFollows(previous, { name, ...facts, gtids: [...facts.gtids], startGtids: [...facts.startGtids] });
  const read = () => createReadStream(spool.at(name), { end: facts.sizeBytes - 1 });
  const stored = await store.put(name, facts, { read, isPartial: true, signal });
  if (stored.sha256 === facts.sha256) log(`${name}: ${facts.sizeBytes} bytes stored of the log that is being written.`);
}

function assertFollows(previous: LogIdentity | null, next: LogIdentity): void {
  const reason = previous && findBreak(previous, next);
  if (reason) throw new AppError('BINLOG_CONFLICT', { reason });
}
