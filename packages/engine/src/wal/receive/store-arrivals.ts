/** From the spool into the archive. A segment leaves the spool only when it is archived and a newer one has come. */
import { AppError } from '@backupx/contracts/errors';
import { describeError } from '../../direct-storage/describe-error.ts';
import { mayStorageRecover } from '../../direct-storage/follow-tool.ts';
import { withTimeLimit } from '../../direct-storage/with-time-limit.ts';
import { pushFile } from '../push-file.ts';
import type { WalArchiveStore } from '../wal-archive-store.ts';
import type { Spool } from './spool.ts';

export interface ArrivalsOptions {
  readonly archive: WalArchiveStore;
  readonly spool: Spool;
  readonly signal: AbortSignal;
  readonly secondsForFile: number;
  log(message: string): void;
}

/** See above; of one run of the receiver. */
export class Arrivals {
  readonly #options: ArrivalsOptions;
  readonly #stored = new Set<string>();
  /** Why the storage takes nothing at the moment; told once. */
  #trouble: string | null = null;

  constructor(options: ArrivalsOptions) {
    this.#options = options;
    for (const name of options.spool.segments()) if (options.spool.isStandIn(name)) this.#stored.add(name);
  }

  /** True: everything that is whole is archived. False: the storage failed, which may pass. Throws what lasts. */
  async store(): Promise<boolean> {
    const { spool } = this.#options;
    const segments = spool.segments();
    const waiting = [...segments, ...spool.histories()].filter((name) => !this.#stored.has(name));
    for (const name of waiting) if (!(await this.#storeOne(name))) return false;
    for (const name of segments.slice(0, -1)) {
      spool.remove(name);
      this.#stored.delete(name);
    }
    return true;
  }

  /** The unfinished segments, for a recovery up to the last moment; they stay in the spool. Answers like `store`. */
  async storePartials(): Promise<boolean> {
    let isStored = true;
    for (const name of this.#options.spool.partials()) isStored = (await this.#storeOne(name, true)) && isStored;
    return isStored;
  }

  async #storeOne(name: string, isPartial = false): Promise<boolean> {
    const { archive, spool, signal, secondsForFile: seconds, log } = this.#options;
    try {
      const sizeBytes = await withTimeLimit({ what: `archive ${name}`, seconds, signal }, (limited) =>
        pushFile(spool.at(name), archive, { signal: limited, isReplacing: isPartial }),
      );
      this.#stored.add(name);
      log(`${name}: ${sizeBytes === 0 ? 'was archived already' : `archived, ${sizeBytes} bytes`}`);
      this.#trouble = null;
      return true;
    } catch (error) {
      // Just begun: there is nothing in it yet.
      if (isPartial && error instanceof AppError && error.code === 'WAL_FILE_REFUSED') return true;
      if (!mayStorageRecover(error)) throw error;
      const trouble = describeError(error);
      if (trouble !== this.#trouble) log(`${name} cannot be archived: ${trouble} It is tried again.`);
      this.#trouble = trouble;
      return false;
    }
  }
}
