import type { AppError } from '@backupx/contracts/errors';
import type { DriverSettings, JobTarget } from '@backupx/contracts/jobs';
import type { OpenPieces, SealPieces } from '../archive/seal-pieces.ts';
import type { RelaySettings } from '../ports/engine.ts';
import type { Reporter } from '../ports/reporter.ts';
import type { SourceDriver } from '../ports/source.ts';
import type { Storage, StorageDriver } from '../ports/storage.ts';
import type { KeptRepositories } from './kept-repositories.ts';
import type { OpenReader } from './read-source.ts';

/** The lists of drivers and how a storage is opened; handed in, so that no job knows a driver by name. */
export interface EngineDrivers {
  readonly sources: readonly SourceDriver[];
  readonly storages: readonly StorageDriver[];
  /** Opens a storage with retries and the limit. Throws STORAGE_TYPE_UNKNOWN, STORAGE_CONFIG. */
  openStorage(settings: DriverSettings, limits: StorageLimits): Storage;
  /** The same retries and limit for a storage that is no driver's. */
  decorate(storage: Storage, limits: StorageLimits): Storage;
  /** Holds the streams of a storage that is no driver's to so many bytes per second; 0: unlimited. */
  limitBandwidth(storage: Storage, bytesPerSecond: number): Storage;
}

/** What a thread loads its drivers from. */
export interface DriversModule {
  /** Those that a job needs; null: all of them. */
  loadDrivers(job: unknown): Promise<EngineDrivers>;
}

/** How a storage may be used. */
export interface StorageLimits {
  /** 0 or left out: unlimited. */
  readonly bandwidthBytesPerSecond?: number;
  /** Calls in all before a passing failure counts; left out: the default of `drivers.ts`. */
  readonly attempts?: number;
  /** How long it is called again while nobody answers, in milliseconds; left out: only as often as `attempts` says. */
  readonly patienceMs?: number;
  /** Hears that nobody answers and that it is waited for, and with null that somebody answers again. */
  readonly onOutage?: (error: AppError | null) => void;
}

/** Everything a job may use. */
export interface JobContext {
  readonly drivers: EngineDrivers;
  readonly signal: AbortSignal;
  readonly reporter: Reporter;
  /** Private to this engine; exists. */
  readonly tempDir: string;
  /** Null where nothing goes through a master. */
  readonly relay: RelaySettings | null;
  readonly compressionParallelism: number;
  /** Left out: the default. */
  readonly storageAttempts?: number;
  /** Left out: a question, for which somebody waits. */
  readonly storagePatienceMs?: number;
  readonly openReader: OpenReader;
  /** Module with the reading halves of the sources, for a thread; null where no backup runs. */
  readonly readersUrl: string | null;
  /** Where quick questions find repositories open; left out: each job opens its own. */
  readonly kept?: KeptSlot;
  /** Left out: pieces are sealed and opened in the thread of the job. */
  readonly sealPieces?: SealPieces;
  readonly openPieces?: OpenPieces;
}

/** Filled when the first of them is needed, so that what reads repositories is not loaded before. */
export interface KeptSlot {
  repositories: KeptRepositories | null;
}

/** A target together with the record it belongs to, for targets that are reached through the master. */
export interface RelayPurpose {
  readonly target: JobTarget;
  readonly recordId?: number;
  readonly restoreRecordId?: number;
}
