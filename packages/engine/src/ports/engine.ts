/**
 * The engine as server and agent see it: hand it a job, get a promise of the result.
 *
 * Work-lane jobs (backup, restore, verify) run in a worker thread of their own, control-lane jobs (list, browse,
 * delete, test) in the calling thread with asynchronous calls; so a question is answered while a backup runs and the
 * control plane's event loop never waits for data. Questions about snapshots, and streams out of them, share one thread
 * that keeps the repositories they look into open.
 */
import type { DriverManifest } from '@backupx/contracts/driver-manifest';
import type { DriverSettings, JobKind, JobOf, JobResults, JobTarget, RepositoryAccess } from '@backupx/contracts/jobs';
import type { Reporter } from './reporter.ts';
import type { Storage } from './storage.ts';

export interface RunJobOptions {
  readonly reporter: Reporter;
  /** Aborting ends the job with `CANCELLED` after it has cleaned up (aborted uploads, removed staged files). */
  readonly signal: AbortSignal;
}

/** Where jobs of a node reach targets with `viaMaster: true` (agents only). Must be structured-cloneable data. */
export interface RelaySettings {
  /** Base address of the master, no trailing slash. */
  readonly masterUrl: string;
  readonly token: string;
  readonly proxyUrl?: string;
  /** PEM text. */
  readonly caCertificate?: string;
  readonly insecureTls?: boolean;
  /** True for masters that want size and checksum beforehand: the artifact is spooled to `tempDir` first. */
  readonly needsKnownSize: boolean;
}

export interface EngineOptions {
  /** Folder for spools and staging; created when missing. */
  readonly tempDir: string;
  /** Set on agents. A function because the master's protocol is known only after the first heartbeat. */
  readonly relay?: () => RelaySettings;
  /** Threads that compress and encrypt for one run; default: number of cores. */
  readonly compressionParallelism?: number;
  /** How far work nobody sits and waits for lets others go first, 0 to 19; default 0. See `lowerPriority`. */
  readonly nice?: number;
  /** Calls to a storage in all before a passing failure counts; default 4. */
  readonly storageAttempts?: number;
  /**
   * How long work that nobody sits and waits for puts up with a storage that does not answer, in milliseconds. Default
   * 15 minutes; with `storageAttempts` given 0, which means: only as often as that says.
   */
  readonly storagePatienceMs?: number;
}

/** What is streamed out of a snapshot. */
export interface SnapshotStreamRequest {
  readonly repository: RepositoryAccess;
  /** Id, its beginning, or `latest`. */
  readonly snapshotId: string;
  /** Display path of a file or folder; null: the whole snapshot. */
  readonly path: string | null;
  /** `raw`: the bytes of a file; `auto`: `raw` for a file, `tar` for everything else. */
  readonly format: 'auto' | 'raw' | 'tar' | 'zip';
}

/** What a program needs that runs a job and ends. */
export interface JobEngine {
  /** Runs one job. Rejects with an AppError. Results and progress are plain data. */
  run<K extends JobKind>(job: JobOf<K>, options: RunJobOptions): Promise<JobResults[K]>;
  /**
   * A file of a snapshot, or a part of it as an archive. Ends with REPOSITORY_DAMAGED where a blob is
   * damaged; what was handed out until then is right. Whoever stops reading early must call `return` (or leave `for await`).
   */
  openSnapshotStream(request: SnapshotStreamRequest, signal: AbortSignal): AsyncIterable<Uint8Array>;
  /** Cancels everything, waits for the cleanup at most `graceMs`. */
  close(graceMs: number): Promise<void>;
}

export interface Engine extends JobEngine {
  /** Forms of all drivers. */
  readonly manifests: { readonly sources: readonly DriverManifest[]; readonly storages: readonly DriverManifest[] };
  /**
   * Checks a driver's settings against its schema; answers them with defaults filled in. `restore`: the options of a
   * restore. Throws INVALID_INPUT with fields below `config.`.
   */
  parseSettings(kind: 'source' | 'storage' | 'restore', type: string, config: unknown): Record<string, unknown>;
  /**
   * Settings of a backup of what a restore with these options would replace: `databases` as `inspect_target` named them.
   * Throws NOT_SUPPORTED for a source that cannot tell what is there, INVALID_INPUT.
   */
  targetSettings(
    source: DriverSettings,
    target: { readonly options: Readonly<Record<string, unknown>>; readonly databases: readonly string[] },
  ): Promise<Record<string, unknown>>;
  /** Opens a storage in this thread, with retries, for streams that pass through the caller (download, relay). */
  openStorage(target: Pick<JobTarget, 'type' | 'config'>): Storage;
  /** Decrypts an age stream (not compressed data: that stays as it is). */
  decrypt(body: AsyncIterable<Uint8Array>, identities: readonly string[]): AsyncIterable<Uint8Array>;
  /** New age identity and its recipient. */
  createEncryptionKey(): Promise<{ identity: string; recipient: string }>;
}
