/** Records of backups: one execution of a task and what came of it. */
import { z } from 'zod';
import { defineRoute, idParams, idSchema, listQueryShape, okOutput, pageOf, timeSchema } from '../define-route.ts';
import {
  browseArtifactResultSchema,
  inspectTargetResultSchema,
  itemProblemSchema,
  jobProgressSchema,
  overwriteModeSchema,
  snapshotResultSchema,
  targetResultSchema,
  verifyModeSchema,
} from '../jobs.ts';
import { recordStatusSchema } from '../record-status.ts';

/** Why a run started; `safety`: to keep what a restore was about to replace. */
export const triggerSchema = z.enum(['manual', 'schedule', 'catch_up', 'safety']);

/** What the last verification proved; one that could not look at the artifact does not count. */
export const lastVerifiedSchema = z.object({
  status: z.enum(['success', 'failed']),
  mode: verifyModeSchema,
  at: timeSchema,
});
export type LastVerified = z.output<typeof lastVerifiedSchema>;

const recordCore = {
  id: idSchema,
  taskId: idSchema,
  taskName: z.string(),
  taskType: z.string(),
  nodeId: idSchema,
  nodeName: z.string(),
  status: recordStatusSchema,
  trigger: triggerSchema,
  backupKind: z.string(),
  fileName: z.string(),
  fileSize: z.number(),
  checksum: z.string(),
  storagePath: z.string(),
  storageTargetId: z.number(),
  storageTargetName: z.string(),
  targets: z.array(targetResultSchema),
  encrypted: z.boolean(),
  /** Mode `repository`: where the snapshot lies (0: this is an archive), its hex id, and what it added. */
  repositoryId: z.number(),
  snapshotId: z.string(),
  snapshot: snapshotResultSchema.nullable(),
  sourceBytes: z.number(),
  itemCount: z.number(),
  problemCount: z.number(),
  errorMessage: z.string(),
  errorCode: z.string(),
  errorHint: z.string(),
  locked: z.boolean(),
  /** Null: never verified. */
  lastVerified: lastVerifiedSchema.nullish(),
  /** Set while the record runs. */
  progress: jobProgressSchema.nullable(),
  startedAt: timeSchema,
  completedAt: timeSchema.nullable(),
  durationSeconds: z.number(),
};

/** A list row: no log, no problem list. */
export const recordRowSchema = z.object(recordCore).meta({ id: 'RecordRow' });
export type RecordRow = z.output<typeof recordRowSchema>;

export const recordSchema = z
  .object({ ...recordCore, logContent: z.string(), problems: z.array(itemProblemSchema) })
  .meta({ id: 'Record' });
export type BackupRecord = z.output<typeof recordSchema>;

export const restoreRecordSchema = z
  .object({
    id: idSchema,
    recordId: z.number(),
    taskId: z.number(),
    taskName: z.string(),
    nodeId: idSchema,
    nodeName: z.string(),
    status: recordStatusSchema,
    /**
     * The snapshot that is read and its repository; 0 and empty: an archive. Without a record of ours `recordId` and
     * `taskId` are 0.
     */
    repositoryId: z.number(),
    snapshotId: z.string(),
    dryRun: z.boolean(),
    targetPath: z.string(),
    paths: z.array(z.string()),
    overwrite: overwriteModeSchema,
    /** As they were chosen; secrets are masked. */
    options: z.record(z.string(), z.unknown()),
    /** The backup of what it replaced; 0: there is none. */
    safetyRecordId: z.number(),
    /** True: it runs, but has not begun; that backup comes first. */
    isWaiting: z.boolean(),
    itemsWritten: z.number(),
    bytesWritten: z.number(),
    itemsSkipped: z.number(),
    problems: z.array(itemProblemSchema),
    problemCount: z.number(),
    errorMessage: z.string(),
    errorCode: z.string(),
    errorHint: z.string(),
    logContent: z.string(),
    progress: jobProgressSchema.nullable(),
    requestedBy: z.string(),
    startedAt: timeSchema,
    completedAt: timeSchema.nullable(),
    durationSeconds: z.number(),
  })
  .meta({ id: 'RestoreRecord' });
export type RestoreRecord = z.output<typeof restoreRecordSchema>;
export const restoreRowSchema = restoreRecordSchema
  .omit({ logContent: true, problems: true })
  .meta({ id: 'RestoreRow' });
export type RestoreRow = z.output<typeof restoreRowSchema>;

const recordErrors = ['BACKUP_RECORD_NOT_FOUND'] as const;

export const restoreInputSchema = z.object({
  /** Absolute folder; empty or missing: the original place. */
  targetPath: z.string().max(4096).optional(),
  paths: z.array(z.string().max(4096)).max(10_000).optional(),
  /** Where to restore; missing: the node of the record. */
  nodeId: idSchema.optional(),
  overwrite: overwriteModeSchema.default('never'),
  /** Say what would change, change nothing; snapshots only. */
  dryRun: z.boolean().default(false),
  /**
   * The `restoreFields` of the source: another server, new names. Without `targetPath` a database goes back into a
   * server; a stored password is used for the stored server and login only.
   */
  options: z.record(z.string(), z.unknown()).default({}),
  /**
   * First back up what a restore into a server replaces, to the storage of the task; the restore begins when that has
   * succeeded. Left out: yes, where the source can tell what is there.
   */
  safetyBackup: z.boolean().optional(),
});

export const recordRoutes = {
  list: defineRoute({
    method: 'GET',
    path: '/api/backup/records',
    access: 'viewer',
    summary: 'Records, newest first',
    output: pageOf(recordRowSchema),
    query: z.object({
      ...listQueryShape,
      cursor: z.string().max(200).optional(),
      taskId: z.coerce.number().int().optional(),
      nodeId: z.coerce.number().int().optional(),
      status: recordStatusSchema.optional(),
      restorable: z.stringbool().optional(),
      dateFrom: timeSchema.optional(),
      dateTo: timeSchema.optional(),
    }),
  }),
  get: defineRoute({
    method: 'GET',
    path: '/api/backup/records/:id',
    access: 'viewer',
    summary: 'One record with log and problems',
    params: idParams,
    output: recordSchema,
    errors: recordErrors,
  }),
  logStream: defineRoute({
    method: 'GET',
    path: '/api/backup/records/:id/logs/stream',
    access: 'viewer',
    summary: 'Log and progress, live',
    params: idParams,
    kind: 'events',
    errors: recordErrors,
  }),
  download: defineRoute({
    method: 'GET',
    path: '/api/backup/records/:id/download',
    access: 'viewer',
    summary: 'The stored artifact; `decrypt=true` opens it on the way (admins)',
    params: idParams,
    query: z.object({ decrypt: z.stringbool().optional() }),
    kind: 'stream',
    audit: 'record.download',
    errors: [...recordErrors, 'BACKUP_RECORD_NO_ARTIFACT', 'STORAGE_NOT_FOUND'],
  }),
  contents: defineRoute({
    method: 'GET',
    path: '/api/backup/records/:id/contents',
    access: 'viewer',
    summary: 'One folder of the artifact, or a search through it',
    params: idParams,
    query: z.object({
      path: z.string().max(4096).default(''),
      q: z.string().max(200).optional(),
      offset: z.coerce.number().int().min(0).default(0),
      limit: z.coerce.number().int().min(1).max(1000).default(200),
    }),
    output: browseArtifactResultSchema,
    errors: [...recordErrors, 'BACKUP_RECORD_NO_ARTIFACT', 'NODE_OFFLINE', 'AGENT_COMMAND_TIMEOUT'],
  }),
  restore: defineRoute({
    method: 'POST',
    path: '/api/backup/records/:id/restore',
    access: 'operator',
    summary: 'Restore a record',
    audit: 'record.restore',
    params: idParams,
    body: restoreInputSchema,
    output: restoreRecordSchema,
    errors: [
      ...recordErrors,
      'BACKUP_RECORD_NO_ARTIFACT',
      'RESTORE_TARGET_INVALID',
      'NODE_OFFLINE',
      'NOT_SUPPORTED',
      'DATABASE_IN_USE',
      'DATABASE_SERVER_OLDER',
      'DATABASE_SERVER_NEWER',
      'DATABASE_SERVER_OTHER',
      'SAFETY_BACKUP_IMPOSSIBLE',
    ],
  }),
  previewRestore: defineRoute({
    method: 'POST',
    path: '/api/backup/records/:id/restore/preview',
    access: 'operator',
    summary: 'What a restore into a server would replace, and who is connected to that',
    params: idParams,
    body: restoreInputSchema,
    output: inspectTargetResultSchema,
    errors: [
      ...recordErrors,
      'BACKUP_RECORD_NO_ARTIFACT',
      'RATE_LIMITED',
      'NODE_OFFLINE',
      'NOT_SUPPORTED',
      'AGENT_COMMAND_TIMEOUT',
      'TIMEOUT',
    ],
  }),
  cancel: defineRoute({
    method: 'POST',
    path: '/api/backup/records/:id/cancel',
    access: 'operator',
    summary: 'Stop a running backup',
    audit: 'record.cancel',
    params: idParams,
    output: okOutput,
    errors: [...recordErrors, 'BACKUP_RECORD_NOT_ACTIVE'],
  }),
  lock: defineRoute({
    method: 'PUT',
    path: '/api/backup/records/:id/lock',
    access: 'operator',
    summary: 'Protect from deletion and retention, or not',
    audit: 'record.lock',
    params: idParams,
    body: z.object({ locked: z.boolean() }),
    output: recordSchema,
    errors: recordErrors,
  }),
  remove: defineRoute({
    method: 'DELETE',
    path: '/api/backup/records/:id',
    access: 'operator',
    summary: 'Delete a record and its artifact',
    audit: 'record.delete',
    params: idParams,
    output: okOutput,
    errors: [...recordErrors, 'BACKUP_RECORD_LOCKED', 'BACKUP_RECORD_ACTIVE'],
  }),
  batchRemove: defineRoute({
    method: 'POST',
    path: '/api/backup/records/batch-delete',
    access: 'operator',
    summary: 'Delete several records',
    audit: 'record.batch_delete',
    body: z.object({ ids: z.array(idSchema).min(1).max(200) }),
    output: z.object({
      deleted: z.array(idSchema),
      failed: z.array(z.object({ id: idSchema, code: z.string(), message: z.string() })),
    }),
  }),
} as const;

export const restoreRoutes = {
  list: defineRoute({
    method: 'GET',
    path: '/api/restore/records',
    access: 'viewer',
    summary: 'Restores, newest first',
    output: pageOf(restoreRowSchema),
    query: z.object({
      ...listQueryShape,
      cursor: z.string().max(200).optional(),
      recordId: z.coerce.number().int().optional(),
      taskId: z.coerce.number().int().optional(),
      status: recordStatusSchema.optional(),
    }),
  }),
  get: defineRoute({
    method: 'GET',
    path: '/api/restore/records/:id',
    access: 'viewer',
    summary: 'One restore',
    params: idParams,
    output: restoreRecordSchema,
    errors: ['RESTORE_RECORD_NOT_FOUND'],
  }),
  logStream: defineRoute({
    method: 'GET',
    path: '/api/restore/records/:id/logs/stream',
    access: 'viewer',
    summary: 'Log and progress, live',
    params: idParams,
    kind: 'events',
    errors: ['RESTORE_RECORD_NOT_FOUND'],
  }),
  cancel: defineRoute({
    method: 'POST',
    path: '/api/restore/records/:id/cancel',
    access: 'operator',
    summary: 'Stop a running restore',
    audit: 'restore.cancel',
    params: idParams,
    output: okOutput,
    errors: ['RESTORE_RECORD_NOT_FOUND', 'BACKUP_RECORD_NOT_ACTIVE'],
  }),
} as const;
