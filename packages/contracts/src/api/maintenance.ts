/** Maintenance records: one check, clean-up, repair, copy or forget of a repository and what came of it. */
import { z } from 'zod';
import { defineRoute, idParams, idSchema, listQueryShape, okOutput, pageOf, timeSchema } from '../define-route.ts';
import {
  checkRepositoryResultSchema,
  copySnapshotsResultSchema,
  forgetSnapshotsResultSchema,
  jobProgressSchema,
  pruneRepositoryResultSchema,
  repairRepositoryResultSchema,
} from '../jobs.ts';
import { recordStatusSchema } from '../record-status.ts';

/**
 * `prune` finds and repacks what no snapshot needs, beside running backups; `sweep` deletes it once everything that
 * might still read it has ended. The other kinds are the jobs of the same name.
 */
export const maintenanceKindSchema = z.enum(['check', 'prune', 'sweep', 'repair', 'copy', 'forget']);
export type MaintenanceKind = z.output<typeof maintenanceKindSchema>;
export const maintenanceTriggerSchema = z.enum(['manual', 'schedule']);

/** Whichever result belongs to the record's kind; the others are missing. */
export const maintenanceResultSchema = z.object({
  check: checkRepositoryResultSchema.optional(),
  prune: pruneRepositoryResultSchema.optional(),
  sweep: pruneRepositoryResultSchema.optional(),
  repair: repairRepositoryResultSchema.optional(),
  copy: copySnapshotsResultSchema.optional(),
  forget: forgetSnapshotsResultSchema.optional(),
});
export type MaintenanceResult = z.output<typeof maintenanceResultSchema>;

const maintenanceCore = {
  id: idSchema,
  repositoryId: idSchema,
  repositoryName: z.string(),
  /** Where it runs: the master whenever it reaches the storage. */
  nodeId: idSchema,
  nodeName: z.string(),
  kind: maintenanceKindSchema,
  trigger: maintenanceTriggerSchema,
  /** `warning`: done, and something is wrong (a check that found damage). */
  status: recordStatusSchema,
  /** One sentence of what came of it; empty while it runs. */
  summary: z.string(),
  /** Damage found by a check. */
  problemCount: z.number(),
  errorMessage: z.string(),
  errorCode: z.string(),
  errorHint: z.string(),
  progress: jobProgressSchema.nullable(),
  requestedBy: z.string(),
  startedAt: timeSchema,
  completedAt: timeSchema.nullable(),
  durationSeconds: z.number(),
};
export const maintenanceRowSchema = z.object(maintenanceCore).meta({ id: 'MaintenanceRow' });
export type MaintenanceRow = z.output<typeof maintenanceRowSchema>;
export const maintenanceRecordSchema = z
  .object({ ...maintenanceCore, logContent: z.string(), result: maintenanceResultSchema.nullable() })
  .meta({ id: 'MaintenanceRecord' });
export type MaintenanceRecord = z.output<typeof maintenanceRecordSchema>;

const notFound = ['MAINTENANCE_RECORD_NOT_FOUND'] as const;

export const maintenanceRoutes = {
  list: defineRoute({
    method: 'GET',
    path: '/api/maintenance/records',
    access: 'viewer',
    summary: 'Maintenance of repositories, newest first',
    output: pageOf(maintenanceRowSchema),
    query: z.object({
      ...listQueryShape,
      cursor: z.string().max(200).optional(),
      repositoryId: z.coerce.number().int().optional(),
      kind: maintenanceKindSchema.optional(),
      status: recordStatusSchema.optional(),
    }),
  }),
  get: defineRoute({
    method: 'GET',
    path: '/api/maintenance/records/:id',
    access: 'viewer',
    summary: 'One maintenance record with log and result',
    params: idParams,
    output: maintenanceRecordSchema,
    errors: notFound,
  }),
  logStream: defineRoute({
    method: 'GET',
    path: '/api/maintenance/records/:id/logs/stream',
    access: 'viewer',
    summary: 'Log and progress, live',
    params: idParams,
    kind: 'events',
    errors: notFound,
  }),
  cancel: defineRoute({
    method: 'POST',
    path: '/api/maintenance/records/:id/cancel',
    access: 'operator',
    summary: 'Stop running maintenance',
    audit: 'maintenance.cancel',
    params: idParams,
    output: okOutput,
    errors: [...notFound, 'BACKUP_RECORD_NOT_ACTIVE'],
  }),
} as const;
