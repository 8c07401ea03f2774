/** What threads of the engine say to each other. Plain data only; blocks lie in memory that the threads share. */
import type { DriverSettings, ItemProblem, Job, JobProgress, JobResults, LogLevel } from '@backupx/contracts/jobs';
import type { PieceGroup } from '../archive/seal-pieces.ts';
import type { RelaySettings } from '../ports/engine.ts';
import type { SourceTotals } from '../ports/source.ts';
import type { ThreadError } from '../ports/thread-error.ts';
import type { ReadCounters } from './read-source.ts';

/** Addresses of modules that a thread loads; the reading thread does without the weight of the storages. */
export interface DriverModules {
  /** A `DriversModule`. */
  readonly driversUrl: string;
  /** Exports `sourceReaders` (SourceReaders). */
  readonly readersUrl: string;
}

// --- job worker ----------------------------------------------------------------------------------

export interface JobWorkerData {
  readonly job: Job;
  readonly modules: DriverModules;
  readonly tempDir: string;
  readonly relay: RelaySettings | null;
  readonly compressionParallelism: number;
  readonly nice: number;
  readonly storageAttempts?: number;
  readonly storagePatienceMs: number;
}

export type ToJobWorker = { readonly type: 'cancel' };

export type FromJobWorker =
  | { readonly type: 'progress'; readonly progress: JobProgress }
  | { readonly type: 'log'; readonly level: LogLevel; readonly message: string }
  | { readonly type: 'result'; readonly result: JobResults[keyof JobResults] }
  | { readonly type: 'error'; readonly error: ThreadError };

// --- reader worker -------------------------------------------------------------------------------

export interface ReaderWorkerData {
  /** With checked settings. */
  readonly source: DriverSettings;
  /** `DriverModules.readersUrl`. */
  readonly readersUrl: string;
  readonly tempDir: string;
  readonly blockBytes: number;
  /** Blocks that may be away at the same time. */
  readonly blockCount: number;
}

/** One more block may be sent; its memory comes back where there is some. */
export type ToReaderWorker = { readonly type: 'credit'; readonly memory: SharedArrayBuffer | null };

export type FromReaderWorker =
  | { readonly type: 'block'; readonly part: 'archive' | 'contents'; readonly block: Uint8Array }
  | { readonly type: 'end'; readonly part: 'archive' | 'contents' }
  | { readonly type: 'progress'; readonly counters: ReadCounters }
  | { readonly type: 'problem'; readonly problem: ItemProblem }
  | { readonly type: 'log'; readonly level: 'info' | 'warn'; readonly message: string }
  | { readonly type: 'totals'; readonly totals: SourceTotals }
  | { readonly type: 'error'; readonly error: ThreadError };

// --- sealing worker ------------------------------------------------------------------------------

/** Seals or opens `group` into `output`, which is shared memory. */
export interface ToSealWorker {
  readonly work: 'seal' | 'open';
  readonly group: PieceGroup;
  readonly output: Uint8Array;
}

export type FromSealWorker =
  | { readonly type: 'done'; readonly sizeBytes: number }
  | { readonly type: 'failed'; readonly reason: string };
