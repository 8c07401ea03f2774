import type { LogLevel } from '@backupx/contracts/jobs';
import type { Clock } from '../../ports/clock.ts';
import type { Repository } from '../open-repository.ts';

/** What all work on a repository needs. The caller holds the lock. */
export interface MaintenanceWork {
  readonly repository: Repository;
  readonly signal: AbortSignal;
  readonly clock: Clock;
  /** Threads for verifying; left out: the caller's own. */
  readonly threads?: number;
  log?(level: LogLevel, message: string): void;
  /** Hears how much there is to do, once that is known. */
  onTotals?(totals: { readonly items: number; readonly bytes: number }): void;
  /** Hears of each thing done: a pack, a tree, a snapshot. */
  onItem?(name: string): void;
  /** Hears of bytes read from packs. */
  onRead?(bytes: number): void;
  /** Hears of bytes stored. */
  onStored?(bytes: number): void;
}

/** Files read, removed or listed at the same time. */
export const FILES_AT_ONCE = 4;
