import type { DriverSettings, JobTarget } from '@backupx/contracts/jobs';
import type { RelaySettings } from '../ports/engine.ts';
import type { Reporter } from '../ports/reporter.ts';
import type { SourceDriver } from '../ports/source.ts';
import type { Storage, StorageDriver } from '../ports/storage.ts';
import type { OpenReader } from './read-source.ts';

/** The lists of drivers and how a storage is opened; handed in, so that no job knows a driver by name. */
export interface EngineDrivers {
  readonly sources: readonly SourceDriver[];
  readonly storages: readonly StorageDriver[];
  /** Opens a storage with retries; `bandwidthBytesPerSecond` 0: unlimited. Throws STORAGE_TYPE_UNKNOWN, STORAGE_CONFIG. */
  openStorage(settings: DriverSettings, bandwidthBytesPerSecond: number): Storage;
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
  readonly openReader: OpenReader;
}

/** A target together with the record it belongs to, for targets that are reached through the master. */
export interface RelayPurpose {
  readonly target: JobTarget;
  readonly recordId?: number;
  readonly restoreRecordId?: number;
}
