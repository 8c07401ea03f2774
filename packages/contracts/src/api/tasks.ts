/** Tasks: what to back up, from which node, when, to where, how long to keep it. */
import { z } from 'zod';
import { defineRoute, idParams, idSchema, listQueryShape, okOutput, pageOf, timeSchema } from '../define-route.ts';
import { compressionSchema, verifyModeSchema } from '../jobs.ts';
import { recordStatusSchema } from '../record-status.ts';
import { retentionPolicySchema } from '../retention.ts';
import { lastVerifiedSchema, recordSchema } from './records.ts';

/** Lists are accepted as arrays and as the old newline, comma or semicolon separated strings. */
export const stringListSchema = z.preprocess(
  (value) =>
    typeof value === 'string'
      ? value
          .split(/[\n\r]+/)
          .map((item) => item.trim())
          .filter(Boolean)
      : value,
  z.array(z.string().max(4096)).max(1000),
);
const idListSchema = z.preprocess(
  (value) =>
    typeof value === 'string'
      ? value
          .split(/[,;\n]+/)
          .map((item) => item.trim())
          .filter(Boolean)
          .map(Number)
      : value,
  z.array(idSchema).max(20),
);

/**
 * The field's names for settings of databases, which are the driver's own under these names; `dbName` and `dbPath`
 * (separated by commas, semicolons or newlines) are its list of databases. One that is sent back as it was answered changes
 * nothing, so that `extraConfig` may say the same.
 */
const databaseShape = {
  dbHost: z.string().max(4096).optional(),
  dbPort: z.coerce.number().int().min(0).max(65_535).optional(),
  dbUser: z.string().max(1000).optional(),
  dbPassword: z.string().max(1000).optional(),
  dbName: z.union([z.string().max(100_000), z.array(z.string().max(4096)).max(1000)]).optional(),
  dbPath: z.string().max(100_000).optional(),
};

export const backupModeSchema = z.enum(['full', 'repository']);
export type BackupMode = z.output<typeof backupModeSchema>;

export const taskInputSchema = z
  .object({
    name: z.string().trim().min(1).max(100),
    type: z.string().min(1).max(50),
    enabled: z.boolean().default(true),
    /** Five or six fields, or a name such as `@daily`; empty: only by hand. */
    cronExpr: z.string().trim().max(200).default(''),
    /** IANA name; empty: the installation's zone. */
    timezone: z.string().trim().max(64).default(''),
    /** The node that reads the source; 0 or missing: the local node. */
    nodeId: z.number().int().min(0).default(0),
    sourcePath: z.string().max(4096).optional(),
    sourcePaths: stringListSchema.default([]),
    excludePatterns: stringListSchema.default([]),
    /** Options of the source driver beyond the fields above (object, or JSON text as in the field). */
    extraConfig: z.preprocess((value) => {
      if (typeof value !== 'string') return value;
      if (value.trim() === '') return {};
      try {
        return JSON.parse(value) as unknown;
      } catch {
        return value;
      }
    }, z.record(z.string(), z.unknown()).default({})),
    ...databaseShape,
    storageTargetId: idSchema.optional(),
    storageTargetIds: idListSchema.default([]),
    compression: compressionSchema.default('zstd'),
    encrypt: z.boolean().default(false),
    /** `full`: one archive per run. `repository`: a snapshot per run, only new data is stored (see repositories). */
    backupMode: backupModeSchema.default('full'),
    /** Mode `repository`: 0 or missing: the node's own on the first storage target, made by the first run. */
    repositoryId: z.number().int().min(0).default(0),
    tags: z.preprocess(
      (value) =>
        typeof value === 'string'
          ? value
              .split(',')
              .map((tag) => tag.trim())
              .filter(Boolean)
          : value,
      z.array(z.string().max(50)).max(50).default([]),
    ),
    /** Hours after which a missing good backup is a breach; 0: none. */
    slaHoursRpo: z.number().int().min(0).max(87_600).default(0),
    /** Prove by a schedule that the newest good backup can be restored. */
    verifyEnabled: z.boolean().default(false),
    verifyCronExpr: z.string().trim().max(200).default(''),
    verifyMode: verifyModeSchema.default('quick'),
  })
  .extend(retentionPolicySchema.shape);
export type TaskInput = z.input<typeof taskInputSchema>;

export const lastRunSchema = z.object({
  recordId: idSchema,
  status: recordStatusSchema,
  startedAt: timeSchema,
  completedAt: timeSchema.nullable(),
});

/** One day of the 30-day strip, oldest first. */
export const stripDaySchema = z.object({
  date: z.string(),
  state: z.enum(['success', 'warning', 'failed', 'missed', 'running', 'none']),
  runs: z.number(),
});
export type StripDay = z.output<typeof stripDaySchema>;

export const taskSchema = z
  .object({
    id: idSchema,
    name: z.string(),
    type: z.string(),
    enabled: z.boolean(),
    cronExpr: z.string(),
    timezone: z.string(),
    nodeId: idSchema,
    nodeName: z.string(),
    sourcePath: z.string(),
    sourcePaths: z.array(z.string()),
    excludePatterns: z.array(z.string()),
    /** All settings of the source that have no field above; secrets are masked. */
    extraConfig: z.record(z.string(), z.unknown()),
    dbHost: z.string(),
    dbPort: z.number(),
    dbUser: z.string(),
    dbPassword: z.string(),
    dbName: z.string(),
    dbPath: z.string(),
    storageTargetId: z.number(),
    storageTargetIds: z.array(idSchema),
    storageTargetNames: z.array(z.string()),
    compression: compressionSchema,
    encrypt: z.boolean(),
    backupMode: z.string(),
    /** As it was chosen; 0: the node's own repository. */
    repositoryId: z.number(),
    tags: z.array(z.string()),
    slaHoursRpo: z.number(),
    verifyEnabled: z.boolean(),
    verifyCronExpr: z.string(),
    verifyMode: verifyModeSchema,
    /** Of the newest backup that was verified; null: none ever was. */
    lastVerified: lastVerifiedSchema.nullable(),
    nextVerifyAt: timeSchema.nullable(),
    ...retentionPolicySchema.shape,
    lastStatus: z.string(),
    lastRunAt: timeSchema.nullable(),
    lastRun: lastRunSchema.nullable(),
    lastSuccessAt: timeSchema.nullable(),
    nextRunAt: timeSchema.nullable(),
    createdAt: timeSchema,
    updatedAt: timeSchema,
  })
  .meta({ id: 'Task' });
export type Task = z.output<typeof taskSchema>;

const taskErrors = [
  'BACKUP_TASK_NAME_TAKEN',
  'STORAGE_TARGET_NOT_FOUND',
  'NODE_NOT_FOUND',
  'SOURCE_TYPE_UNKNOWN',
  'REPOSITORY_NOT_FOUND',
  'NOT_SUPPORTED',
] as const;

export const taskRoutes = {
  list: defineRoute({
    method: 'GET',
    path: '/api/backup/tasks',
    access: 'viewer',
    summary: 'Tasks',
    output: pageOf(taskSchema),
    query: z.object({
      ...listQueryShape,
      nodeId: z.coerce.number().int().optional(),
      tag: z.string().optional(),
      enabled: z.stringbool().optional(),
    }),
  }),
  get: defineRoute({
    method: 'GET',
    path: '/api/backup/tasks/:id',
    access: 'viewer',
    summary: 'One task',
    params: idParams,
    output: taskSchema,
    errors: ['BACKUP_TASK_NOT_FOUND'],
  }),
  tags: defineRoute({
    method: 'GET',
    path: '/api/backup/tasks/tags',
    access: 'viewer',
    summary: 'Tags in use',
    output: z.array(z.string()),
  }),
  create: defineRoute({
    method: 'POST',
    path: '/api/backup/tasks',
    access: 'operator',
    summary: 'Create a task',
    audit: 'task.create',
    body: taskInputSchema,
    output: taskSchema,
    errors: taskErrors,
  }),
  update: defineRoute({
    method: 'PUT',
    path: '/api/backup/tasks/:id',
    access: 'operator',
    summary: 'Change a task',
    audit: 'task.update',
    params: idParams,
    body: taskInputSchema,
    output: taskSchema,
    errors: ['BACKUP_TASK_NOT_FOUND', ...taskErrors],
  }),
  remove: defineRoute({
    method: 'DELETE',
    path: '/api/backup/tasks/:id',
    access: 'operator',
    summary: 'Delete a task; its records and artifacts stay',
    audit: 'task.delete',
    params: idParams,
    output: okOutput,
    errors: ['BACKUP_TASK_NOT_FOUND', 'BACKUP_TASK_RUNNING'],
  }),
  toggle: defineRoute({
    method: 'PUT',
    path: '/api/backup/tasks/:id/toggle',
    access: 'operator',
    summary: 'Switch a task on or off',
    audit: 'task.toggle',
    params: idParams,
    body: z.object({ enabled: z.boolean() }).nullish(),
    output: taskSchema,
    errors: ['BACKUP_TASK_NOT_FOUND'],
  }),
  run: defineRoute({
    method: 'POST',
    path: '/api/backup/tasks/:id/run',
    access: 'operator',
    summary: 'Run a task now',
    audit: 'task.run',
    params: idParams,
    output: recordSchema,
    errors: ['BACKUP_TASK_NOT_FOUND', 'BACKUP_TASK_RUNNING', 'NODE_OFFLINE', 'NOT_SUPPORTED'],
  }),
  previewSchedule: defineRoute({
    method: 'POST',
    path: '/api/backup/tasks/preview-schedule',
    access: 'viewer',
    summary: 'The next runs of a cron expression',
    body: z.object({
      cronExpr: z.string().max(200),
      timezone: z.string().max(64).default(''),
      count: z.number().int().min(1).max(50).default(5),
    }),
    output: z.object({ timezone: z.string(), runs: z.array(timeSchema) }),
  }),
} as const;
