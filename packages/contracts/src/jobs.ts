/**
 * What a node may be asked to do, as plain data. The master builds a job (the only place secrets are opened),
 * a node's engine runs it: in process on the local node, over the wire on a remote one. Same shapes, same engine.
 */
import { z } from 'zod';
import { idSchema } from './define-route.ts';

/** Settings of one driver, opened. Never stored, never logged. */
export const driverSettingsSchema = z.object({
  type: z.string(),
  config: z.record(z.string(), z.unknown()),
});
export type DriverSettings = z.output<typeof driverSettingsSchema>;

/** A storage target as a job sees it. `viaMaster`: bytes go through the master's relay instead of straight there. */
export const jobTargetSchema = driverSettingsSchema.extend({
  id: idSchema,
  name: z.string(),
  viaMaster: z.boolean().default(false),
});
export type JobTarget = z.output<typeof jobTargetSchema>;

export const compressionSchema = z.enum(['none', 'gzip', 'zstd']);
export type Compression = z.output<typeof compressionSchema>;

export const overwriteModeSchema = z.enum(['never', 'if_newer', 'always']);
export type OverwriteMode = z.output<typeof overwriteModeSchema>;

/** One item that could not be handled as asked; makes a result a `warning`. */
export const itemProblemSchema = z.object({
  /** Path as the user knows it; bytes that are not UTF-8 are shown as `\xNN`. */
  path: z.string(),
  code: z.enum([
    'vanished',
    'changed',
    'unreadable',
    'unsupported',
    'metadata',
    'write_failed',
    'skipped',
    'upload_failed',
    'unsafe',
  ]),
  message: z.string(),
});
export type ItemProblem = z.output<typeof itemProblemSchema>;
/** A result lists at most this many problems; `problemCount` has the true number. */
export const MAX_LISTED_PROBLEMS = 1000;

export const runBackupJobSchema = z.object({
  kind: z.literal('run_backup'),
  taskId: idSchema,
  recordId: idSchema,
  taskName: z.string(),
  source: driverSettingsSchema,
  targets: z.array(jobTargetSchema).min(1),
  compression: compressionSchema,
  /** age X25519 recipients (`age1…`); null: not encrypted. */
  encryption: z.object({ recipients: z.array(z.string()).min(1) }).nullable(),
  /** Folder of the artifact inside the storage, without trailing slash. Holds the record id (fence between attempts). */
  keyPrefix: z.string(),
  /** File name without extension; the engine appends `.tar`, `.gz`/`.zst`, `.age`. */
  baseName: z.string(),
  /** 0 = unlimited. */
  bandwidthBytesPerSecond: z.number().int().min(0).default(0),
});
export type RunBackupJob = z.output<typeof runBackupJobSchema>;

export const targetResultSchema = z.object({
  targetId: idSchema,
  targetName: z.string(),
  status: z.enum(['success', 'failed']),
  /** True: the bytes went through the master and lie on its disk, whatever the target's settings say later. */
  viaMaster: z.boolean().optional(),
  storagePath: z.string().optional(),
  fileSize: z.number().optional(),
  error: z.string().optional(),
});
export type TargetResult = z.output<typeof targetResultSchema>;

export const runBackupResultSchema = z.object({
  /** `warning`: stored and restorable, but something is missing from it (see `problems`) or from a target. */
  status: z.enum(['success', 'warning']),
  fileName: z.string(),
  storagePath: z.string(),
  /** Object with the list of contents (NDJSON, compressed and encrypted like the artifact), `<storagePath>.contents`. */
  contentsPath: z.string(),
  /** Stored bytes. */
  fileSize: z.number(),
  /** SHA-256 of the stored bytes, hex. */
  checksum: z.string(),
  /** Bytes read from the source and items (files, folders, links) in the archive. */
  sourceBytes: z.number(),
  itemCount: z.number(),
  targets: z.array(targetResultSchema),
  problems: z.array(itemProblemSchema),
  problemCount: z.number(),
});
export type RunBackupResult = z.output<typeof runBackupResultSchema>;

/** Where an artifact lies and what is needed to open it; shared by restore, verify, browse. */
export const storedArtifactSchema = z.object({
  target: jobTargetSchema,
  storagePath: z.string(),
  contentsPath: z.string().nullable(),
  fileName: z.string(),
  /** SHA-256 hex of the stored bytes; null when the writer reported none. */
  checksum: z.string().nullable(),
  fileSize: z.number().nullable(),
  /** age identities (`AGE-SECRET-KEY-1…`) that may open it; null: not encrypted. */
  encryption: z.object({ identities: z.array(z.string()).min(1) }).nullable(),
});
export type StoredArtifact = z.output<typeof storedArtifactSchema>;

export const runRestoreJobSchema = z.object({
  kind: z.literal('run_restore'),
  restoreRecordId: idSchema,
  recordId: idSchema,
  taskName: z.string(),
  source: driverSettingsSchema,
  artifact: storedArtifactSchema,
  /** Absolute folder; null: the original place. */
  targetPath: z.string().nullable(),
  /** Absolute original paths of files or folders; null: everything. */
  paths: z.array(z.string()).nullable(),
  overwrite: overwriteModeSchema,
});
export type RunRestoreJob = z.output<typeof runRestoreJobSchema>;

export const runRestoreResultSchema = z.object({
  status: z.enum(['success', 'warning']),
  itemsWritten: z.number(),
  bytesWritten: z.number(),
  /** Items left alone because of the overwrite mode. */
  itemsSkipped: z.number(),
  problems: z.array(itemProblemSchema),
  problemCount: z.number(),
});
export type RunRestoreResult = z.output<typeof runRestoreResultSchema>;

export const verifyArtifactJobSchema = z.object({
  kind: z.literal('verify_artifact'),
  artifact: storedArtifactSchema,
});
export type VerifyArtifactJob = z.output<typeof verifyArtifactJobSchema>;
export const verifyArtifactResultSchema = z.object({
  itemCount: z.number(),
  sourceBytes: z.number(),
  storedBytes: z.number(),
});
export type VerifyArtifactResult = z.output<typeof verifyArtifactResultSchema>;

export const listDirectoryJobSchema = z.object({ kind: z.literal('list_directory'), path: z.string() });
export type ListDirectoryJob = z.output<typeof listDirectoryJobSchema>;
export const directoryEntrySchema = z.object({
  name: z.string(),
  path: z.string(),
  isDir: z.boolean(),
  size: z.number(),
});
export type DirectoryEntry = z.output<typeof directoryEntrySchema>;
/** Folders first, then by name; at most 5,000 entries, `truncated` says when there were more. */
export const listDirectoryResultSchema = z.object({
  entries: z.array(directoryEntrySchema),
  truncated: z.boolean().optional(),
});
export type ListDirectoryResult = z.output<typeof listDirectoryResultSchema>;

export const browseArtifactJobSchema = z.object({
  kind: z.literal('browse_artifact'),
  artifact: storedArtifactSchema,
  /** Folder whose children are wanted (`''` = the roots); ignored when `search` is given. */
  path: z.string(),
  /** Case-insensitive part of a name; looks through the whole artifact. */
  search: z.string().nullable(),
  offset: z.number().int().min(0),
  limit: z.number().int().min(1).max(1000),
});
export type BrowseArtifactJob = z.output<typeof browseArtifactJobSchema>;
export const artifactEntrySchema = z.object({
  name: z.string(),
  /** Absolute path at the source. */
  path: z.string(),
  type: z.enum(['file', 'directory', 'symlink', 'hardlink', 'fifo', 'char_device', 'block_device']),
  size: z.number(),
  /** RFC 3339. */
  modifiedAt: z.string().nullable(),
  mode: z.number().nullable(),
  linkTarget: z.string().optional(),
});
export type ArtifactEntry = z.output<typeof artifactEntrySchema>;
export const browseArtifactResultSchema = z.object({
  entries: z.array(artifactEntrySchema),
  total: z.number(),
  nextOffset: z.number().nullable(),
});
export type BrowseArtifactResult = z.output<typeof browseArtifactResultSchema>;

export const deleteObjectsJobSchema = z.object({
  kind: z.literal('delete_objects'),
  target: jobTargetSchema,
  keys: z.array(z.string()).min(1).max(1000),
});
export type DeleteObjectsJob = z.output<typeof deleteObjectsJobSchema>;
export const deleteObjectsResultSchema = z.object({ deleted: z.number() });
export type DeleteObjectsResult = z.output<typeof deleteObjectsResultSchema>;

export const testStorageJobSchema = z.object({ kind: z.literal('test_storage'), storage: driverSettingsSchema });
export type TestStorageJob = z.output<typeof testStorageJobSchema>;
export const storageUsageSchema = z.object({
  usedBytes: z.number().nullable(),
  freeBytes: z.number().nullable(),
  totalBytes: z.number().nullable(),
});
export type StorageUsage = z.output<typeof storageUsageSchema>;
export const testStorageResultSchema = z.object({
  steps: z.array(z.object({ name: z.string(), durationMs: z.number() })),
  usage: storageUsageSchema.nullable(),
});
export type TestStorageResult = z.output<typeof testStorageResultSchema>;

/** Every job, told apart by `kind`. */
export const jobSchema = z.discriminatedUnion('kind', [
  runBackupJobSchema,
  runRestoreJobSchema,
  verifyArtifactJobSchema,
  listDirectoryJobSchema,
  browseArtifactJobSchema,
  deleteObjectsJobSchema,
  testStorageJobSchema,
]);
export type Job = z.output<typeof jobSchema>;

/** Result type of each kind of job. */
export interface JobResults {
  run_backup: RunBackupResult;
  run_restore: RunRestoreResult;
  verify_artifact: VerifyArtifactResult;
  list_directory: ListDirectoryResult;
  browse_artifact: BrowseArtifactResult;
  delete_objects: DeleteObjectsResult;
  test_storage: TestStorageResult;
}
export type JobKind = keyof JobResults;
export type JobOf<K extends JobKind> = Extract<Job, { kind: K }>;

/** Quick questions never wait behind long work. */
export type Lane = 'work' | 'control';
export const jobLanes: Readonly<Record<JobKind, Lane>> = {
  run_backup: 'work',
  run_restore: 'work',
  verify_artifact: 'work',
  list_directory: 'control',
  browse_artifact: 'control',
  delete_objects: 'control',
  test_storage: 'control',
};

export const jobPhaseSchema = z.enum(['queued', 'preparing', 'running', 'finishing', 'done']);
export type JobPhase = z.output<typeof jobPhaseSchema>;

/** A snapshot of how far a job is; sent at most twice a second. Totals are null until they are known. */
export const jobProgressSchema = z.object({
  phase: jobPhaseSchema,
  itemsDone: z.number(),
  itemsTotal: z.number().nullable(),
  bytesDone: z.number(),
  bytesTotal: z.number().nullable(),
  /** Bytes written to storage (backup) or read from it (restore). */
  bytesStored: z.number(),
  bytesPerSecond: z.number(),
  etaSeconds: z.number().nullable(),
  percent: z.number().min(0).max(100).nullable(),
  currentItem: z.string().nullable(),
  problemCount: z.number(),
});
export type JobProgress = z.output<typeof jobProgressSchema>;

export const logLevelSchema = z.enum(['debug', 'info', 'warn', 'error']);
export type LogLevel = z.output<typeof logLevelSchema>;
