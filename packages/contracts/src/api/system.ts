/** System, settings, audit log, dashboard, recovery kit, event stream, health. */
import { z } from 'zod';
import { defineRoute, idSchema, listQueryShape, pageOf, timeSchema } from '../define-route.ts';
import { recordRowSchema } from './records.ts';
import { stripDaySchema, taskSchema } from './tasks.ts';

export const systemRoutes = {
  info: defineRoute({
    method: 'GET',
    path: '/api/system/info',
    access: 'viewer',
    summary: 'Version, uptime, zone',
    output: z.object({
      version: z.string(),
      mode: z.string(),
      startedAt: timeSchema,
      uptimeSeconds: z.number(),
      nodeVersion: z.string(),
      databaseKind: z.string(),
      timezone: z.string(),
      externalUrl: z.string(),
      hostname: z.string(),
      /** Where a first local folder for backups would lie; made when its target is created. */
      suggestedStoragePath: z.string().optional(),
    }),
  }),
  events: defineRoute({
    method: 'GET',
    path: '/api/events/stream',
    access: 'viewer',
    summary: 'What changes, live',
    kind: 'events',
  }),
  recoveryKit: defineRoute({
    method: 'GET',
    path: '/api/recovery-kit',
    access: 'admin',
    summary: 'The recovery kit: key, places, stock commands (text)',
    kind: 'text',
    audit: 'recovery_kit.download',
  }),
  recoveryKitStatus: defineRoute({
    method: 'GET',
    path: '/api/recovery-kit/status',
    access: 'viewer',
    summary: 'Does anything need the kit, and was it ever downloaded?',
    output: z.object({ needed: z.boolean(), downloadedAt: timeSchema.nullable() }),
  }),
} as const;

export const settingsSchema = z
  .object({
    siteName: z.string().max(100).default('BackupX'),
    /** IANA zone for tasks that name none. */
    timezone: z.string().max(64).default('UTC'),
    /** Address agents and people use, without trailing slash; empty: the address of the request. */
    externalUrl: z.string().max(300).default(''),
    /** When scheduled maintenance of repositories may start, `22:00-06:00` in `timezone`; empty: at any time. */
    maintenanceWindow: z
      .string()
      .regex(/^$|^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$/, 'two times such as 22:00-06:00, or empty')
      .default(''),
  })
  .meta({ id: 'Settings' });
export type Settings = z.output<typeof settingsSchema>;

export const settingsRoutes = {
  get: defineRoute({
    method: 'GET',
    path: '/api/settings',
    access: 'viewer',
    summary: 'Settings',
    output: settingsSchema,
  }),
  update: defineRoute({
    method: 'PUT',
    path: '/api/settings',
    access: 'admin',
    summary: 'Change settings',
    audit: 'settings.update',
    body: settingsSchema.partial(),
    output: settingsSchema,
  }),
} as const;

export const auditEntrySchema = z
  .object({
    id: idSchema,
    at: timeSchema,
    action: z.string(),
    username: z.string(),
    /** session, token, api_key, system */
    via: z.string(),
    ipAddress: z.string(),
    target: z.string(),
    detail: z.string(),
    outcome: z.enum(['success', 'failure']),
  })
  .meta({ id: 'AuditEntry' });
export type AuditEntry = z.output<typeof auditEntrySchema>;

export const auditRoutes = {
  list: defineRoute({
    method: 'GET',
    path: '/api/audit-logs',
    access: 'admin',
    summary: 'Audit log, newest first',
    output: pageOf(auditEntrySchema),
    query: z.object({
      ...listQueryShape,
      action: z.string().max(100).optional(),
      username: z.string().max(64).optional(),
    }),
  }),
} as const;

/** Why a task is not protected; worst first. */
export const exceptionReasonSchema = z.enum([
  'failed',
  'never_ran',
  'rpo_breached',
  'missed',
  'warning',
  'repository_damaged',
  'verify_failed',
  'node_offline',
  'disabled',
]);

/** Work by plan that keeps a repository healthy and was not done: copies in it may be worse than anybody knows. */
export const neglectedRepositorySchema = z.object({
  id: idSchema,
  name: z.string(),
  work: z.enum(['check', 'cleanup']),
  /** `failed`: the last try came to nothing; `overdue`: it has not even been tried for a day. */
  reason: z.enum(['failed', 'overdue']),
  /** When it failed, or when it was due. */
  at: timeSchema,
  /** The try that failed; null: overdue. */
  maintenanceRecordId: idSchema.nullable(),
});
export type NeglectedRepository = z.output<typeof neglectedRepositorySchema>;

export const dashboardRoutes = {
  overview: defineRoute({
    method: 'GET',
    path: '/api/dashboard/overview',
    access: 'viewer',
    summary: 'Is everything protected?',
    output: z.object({
      asOf: timeSchema,
      totalTasks: z.number(),
      protectedTasks: z.number(),
      oldestGoodAt: timeSchema.nullable(),
      exceptions: z.array(
        z.object({
          taskId: idSchema,
          taskName: z.string(),
          reason: exceptionReasonSchema,
          since: timeSchema.nullable(),
          recordId: idSchema.nullable(),
          message: z.string(),
        }),
      ),
      tasks: z.array(taskSchema.extend({ isProtected: z.boolean(), strip: z.array(stripDaySchema) })),
      running: z.array(recordRowSchema),
      recentFailures: z.array(recordRowSchema),
      nodes: z.object({ total: z.number(), online: z.number() }),
      /** Tasks whose last verification found damage, and those with a backup that was never verified. */
      verification: z.object({
        failed: z.number(),
        never: z.number(),
        /** The newest that failed and was not followed by one of the same task that passed. */
        lastFailed: z.object({ id: idSchema, taskId: idSchema, taskName: z.string(), at: timeSchema }).nullable(),
      }),
      repositories: z.object({
        total: z.number(),
        damaged: z.array(
          z.object({ id: idSchema, name: z.string(), problemCount: z.number(), since: timeSchema.nullable() }),
        ),
        neglected: z.array(neglectedRepositorySchema),
      }),
      storedBytes: z.number(),
    }),
  }),
  stats: defineRoute({
    method: 'GET',
    path: '/api/dashboard/stats',
    access: 'viewer',
    summary: 'Counts for dashboards',
    output: z.object({
      totalTasks: z.number(),
      enabledTasks: z.number(),
      totalRecords: z.number(),
      successRate: z.number(),
      totalBackupBytes: z.number(),
      lastBackupAt: timeSchema.nullable(),
      runningTasks: z.number(),
    }),
  }),
} as const;

export const healthRoutes = {
  health: defineRoute({
    method: 'GET',
    path: '/health',
    access: 'public',
    summary: 'The process is alive',
    output: z.object({ status: z.literal('ok') }),
  }),
  ready: defineRoute({
    method: 'GET',
    path: '/ready',
    access: 'public',
    summary: 'The database answers and migrations are done',
    output: z.object({ status: z.literal('ready') }),
    errors: ['SHUTTING_DOWN'],
  }),
} as const;
