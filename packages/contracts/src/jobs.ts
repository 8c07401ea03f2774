/**
 * What a node may be asked to do, as plain data. The master builds a job (the only place secrets are opened),
 * a node's engine runs it: in process on the local node, over the wire on a remote one. Same shapes, same engine.
 */
import { z } from 'zod';
import { idSchema } from './define-route.ts';
import {
  artifactEntrySchema,
  compressionSchema,
  driverSettingsSchema,
  itemProblemSchema,
  jobTargetSchema,
  overwriteModeSchema,
  repositoryAccessSchema,
  storedArtifactSchema,
} from './job-parts.ts';
import {
  type CheckRepositoryResult,
  type CopySnapshotsResult,
  checkRepositoryJobSchema,
  copySnapshotsJobSchema,
  type DiffSnapshotsResult,
  diffSnapshotsJobSchema,
  type FindInRepositoryResult,
  type ForgetSnapshotsResult,
  findInRepositoryJobSchema,
  forgetSnapshotsJobSchema,
  type InitRepositoryResult,
  initRepositoryJobSchema,
  type ListSnapshotsResult,
  listSnapshotsJobSchema,
  type PruneRepositoryResult,
  pruneRepositoryJobSchema,
  type RepairRepositoryResult,
  type RepositoryKeysResult,
  repairRepositoryJobSchema,
  repositoryKeysJobSchema,
  type UnlockRepositoryResult,
  unlockRepositoryJobSchema,
} from './repository-jobs.ts';

export * from './job-lanes.ts';
export * from './job-parts.ts';
export * from './repository-jobs.ts';

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
  /**
   * Mode `repository`: the snapshot is written into the first and copied to the others; `targets`, `compression`,
   * `encryption`, `keyPrefix` and `baseName` then say nothing. Null: an archive.
   */
  repositories: z.array(repositoryAccessSchema).min(1).nullish(),
  /** Host name, tags and program version written into a snapshot. */
  snapshot: z
    .object({
      hostname: z.string(),
      tags: z.array(z.string()).default([]),
      /** Snapshot (hex) to compare with; null: the newest of the same host and paths. */
      parentId: z.string().nullable().default(null),
      /** Read and compare only; nothing is written. */
      dryRun: z.boolean().default(false),
    })
    .nullish(),
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

export const snapshotResultSchema = z.object({
  snapshotId: z.string(),
  parentId: z.string().nullable(),
  filesNew: z.number(),
  filesChanged: z.number(),
  filesUnmodified: z.number(),
  blobsAdded: z.number(),
  /** Plain bytes of new blobs, and what they take up stored. */
  bytesAdded: z.number(),
  bytesStored: z.number(),
});
export type SnapshotResult = z.output<typeof snapshotResultSchema>;

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
  /** Set by a backup into a repository: what came of it there. */
  snapshot: snapshotResultSchema.nullish(),
});
export type RunBackupResult = z.output<typeof runBackupResultSchema>;

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
  /** Say what would change, change nothing; snapshots only. */
  dryRun: z.boolean().optional(),
  /** Settings of the restore that only this kind of source has (its `restoreFields`), secrets among them. */
  options: z.record(z.string(), z.unknown()).optional(),
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

export const verifyModeSchema = z.enum(['quick', 'deep']);
export type VerifyMode = z.output<typeof verifyModeSchema>;

export const verifyArtifactJobSchema = z.object({
  kind: z.literal('verify_artifact'),
  artifact: storedArtifactSchema,
  /** What it was made from; left out: it is read to its end and no more. */
  source: driverSettingsSchema.optional(),
  /** `quick`: the structure. `deep`: restored into a scratch place and compared. */
  mode: verifyModeSchema.default('quick'),
  /** Where a deep verification restores to, as the `options` of a restore; left out: a scratch place on the node. */
  options: z.record(z.string(), z.unknown()).optional(),
});
export type VerifyArtifactJob = z.output<typeof verifyArtifactJobSchema>;
/** One thing that was proven, or not. */
export const verifyCheckSchema = z.object({
  /** What it is about: a path, a database. */
  subject: z.string(),
  name: z.enum(['checksum', 'structure', 'inventory', 'restore', 'rows', 'content', 'engine']),
  ok: z.boolean(),
  /** For people: what was compared, or why it failed. */
  detail: z.string(),
});
export type VerifyCheck = z.output<typeof verifyCheckSchema>;
export const verifyArtifactResultSchema = z.object({
  /** `failed`: at least one check says that it cannot be restored as it was. */
  status: z.enum(['success', 'failed']),
  checks: z.array(verifyCheckSchema),
  itemCount: z.number(),
  sourceBytes: z.number(),
  storedBytes: z.number(),
});
export type VerifyArtifactResult = z.output<typeof verifyArtifactResultSchema>;

/** Asks a source what there is to back up, with the programs and settings a backup would use. Never stored. */
export const inspectSourceJobSchema = z.object({ kind: z.literal('inspect_source'), source: driverSettingsSchema });
export type InspectSourceJob = z.output<typeof inspectSourceJobSchema>;
export const inspectSourceResultSchema = z.object({
  /** Name and version of the server or library: `PostgreSQL 15.18`. */
  server: z.string(),
  /** The program that will dump, with version and path; empty: none is needed. */
  tool: z.string(),
  databases: z.array(z.object({ name: z.string(), sizeBytes: z.number().nullable() })),
  /** What will be missing from a backup, or would make it fail. */
  warnings: z.array(z.string()),
  /** Statements that make a user who may only read; null: this engine has none. */
  readOnlyUserSql: z.string().nullable(),
});
export type InspectSourceResult = z.output<typeof inspectSourceResultSchema>;

/** Asks what is where a restore would put databases, before anything is done. Never stored. */
export const inspectTargetJobSchema = z.object({
  kind: z.literal('inspect_target'),
  source: driverSettingsSchema,
  /** Options of the restore, as in `run_restore`. */
  options: z.record(z.string(), z.unknown()),
  /** Paths of what would be restored, as they are in the artifact: the inventories of its databases. */
  entries: z.array(z.string()).max(10_000),
  /** The server the backup comes from, as `browse_artifact` found it; empty: unknown; left out: nobody asks about versions. */
  savedServer: z.string().optional(),
});
export type InspectTargetJob = z.output<typeof inspectTargetJobSchema>;
/** A connection to a database, or a program that has it open; what is not known is empty. */
export const databaseSessionSchema = z.object({
  id: z.string(),
  user: z.string(),
  /** Address of the client. */
  address: z.string(),
  program: z.string(),
  /** Connected since; where a server tells only that (MySQL): in its present state since. */
  since: z.string().nullable(),
});
export type DatabaseSession = z.output<typeof databaseSessionSchema>;
/** What the server a backup goes to is beside the one it comes from: of an older or newer series, or another product. */
export const versionDifferenceSchema = z.enum(['older', 'newer', 'other']);
export type VersionDifference = z.output<typeof versionDifferenceSchema>;
export const inspectTargetResultSchema = z.object({
  /** Address of the server, or the machine. */
  server: z.string(),
  databases: z.array(
    z.object({
      /** Name it would be restored under. */
      name: z.string(),
      /** True: there is one of that name with something in it, which would be replaced. */
      exists: z.boolean(),
      sizeBytes: z.number().nullable(),
      sessions: z.array(databaseSessionSchema),
      /** False: it is there, and this restore by itself leaves it and its sessions as they are. */
      isReplaced: z.boolean().optional(),
      /** False: no backup of it can be made beforehand, since its server is stopped or it is no server. */
      canBeSaved: z.boolean().optional(),
    }),
  ),
  /** Stops the restore unless its options accept it (`acceptOtherVersion`); left out: alike, or unknown (see `notes`). */
  otherVersion: z
    .object({
      /** Names and versions of both servers: `PostgreSQL 15.18`. */
      saved: z.string(),
      target: z.string(),
      difference: versionDifferenceSchema,
    })
    .optional(),
  /** What else somebody should know before, as sentences. */
  notes: z.array(z.string()).optional(),
});
export type InspectTargetResult = z.output<typeof inspectTargetResultSchema>;

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
  /** What it was made from (its settings do not matter): then the answer says which server it comes from. */
  source: driverSettingsSchema.optional(),
});
export type BrowseArtifactJob = z.output<typeof browseArtifactJobSchema>;
export const browseArtifactResultSchema = z.object({
  entries: z.array(artifactEntrySchema),
  total: z.number(),
  nextOffset: z.number().nullable(),
  /** Name and version of the server the artifact comes from: `PostgreSQL 15.18`; null or left out: unknown. */
  server: z.string().nullish(),
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
  inspectSourceJobSchema,
  inspectTargetJobSchema,
  listDirectoryJobSchema,
  browseArtifactJobSchema,
  deleteObjectsJobSchema,
  testStorageJobSchema,
  initRepositoryJobSchema,
  listSnapshotsJobSchema,
  findInRepositoryJobSchema,
  diffSnapshotsJobSchema,
  forgetSnapshotsJobSchema,
  pruneRepositoryJobSchema,
  checkRepositoryJobSchema,
  repairRepositoryJobSchema,
  copySnapshotsJobSchema,
  unlockRepositoryJobSchema,
  repositoryKeysJobSchema,
]);
export type Job = z.output<typeof jobSchema>;

/** Result type of each kind of job. */
export interface JobResults {
  run_backup: RunBackupResult;
  run_restore: RunRestoreResult;
  verify_artifact: VerifyArtifactResult;
  inspect_source: InspectSourceResult;
  inspect_target: InspectTargetResult;
  list_directory: ListDirectoryResult;
  browse_artifact: BrowseArtifactResult;
  delete_objects: DeleteObjectsResult;
  test_storage: TestStorageResult;
  init_repository: InitRepositoryResult;
  list_snapshots: ListSnapshotsResult;
  find_in_repository: FindInRepositoryResult;
  diff_snapshots: DiffSnapshotsResult;
  forget_snapshots: ForgetSnapshotsResult;
  prune_repository: PruneRepositoryResult;
  check_repository: CheckRepositoryResult;
  repair_repository: RepairRepositoryResult;
  copy_snapshots: CopySnapshotsResult;
  unlock_repository: UnlockRepositoryResult;
  repository_keys: RepositoryKeysResult;
}
export type JobKind = keyof JobResults;
export type JobOf<K extends JobKind> = Extract<Job, { kind: K }>;

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
