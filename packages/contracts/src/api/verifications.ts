/** Verifications: one proof that a record can be restored, quick or deep, and what came of it. */
import { z } from 'zod';
import { defineRoute, idParams, idSchema, listQueryShape, okOutput, pageOf, timeSchema } from '../define-route.ts';
import { jobProgressSchema, verifyCheckSchema, verifyModeSchema } from '../jobs.ts';
import { recordStatusSchema } from '../record-status.ts';

export const verifyTriggerSchema = z.enum(['manual', 'schedule']);

const verifyCore = {
  id: idSchema,
  recordId: idSchema,
  taskId: idSchema,
  taskName: z.string(),
  /** Where it runs: the master whenever it reaches the artifact, dumps where they were made. */
  nodeId: idSchema,
  nodeName: z.string(),
  mode: verifyModeSchema,
  trigger: verifyTriggerSchema,
  /** `success`: every check passed. `failed` with the code ARTIFACT_DAMAGED: a check found damage. */
  status: recordStatusSchema,
  /** One sentence of what was proven, or not; empty while it runs. */
  summary: z.string(),
  /** Checks that failed. */
  problemCount: z.number(),
  itemCount: z.number(),
  sourceBytes: z.number(),
  storedBytes: z.number(),
  errorMessage: z.string(),
  errorCode: z.string(),
  errorHint: z.string(),
  progress: jobProgressSchema.nullable(),
  requestedBy: z.string(),
  startedAt: timeSchema,
  completedAt: timeSchema.nullable(),
  durationSeconds: z.number(),
};
export const verifyRowSchema = z.object(verifyCore).meta({ id: 'VerifyRow' });
export type VerifyRow = z.output<typeof verifyRowSchema>;
export const verifyRecordSchema = z
  .object({
    ...verifyCore,
    /** The server that was named; secrets are masked. */
    options: z.record(z.string(), z.unknown()),
    checks: z.array(verifyCheckSchema),
    logContent: z.string(),
  })
  .meta({ id: 'VerifyRecord' });
export type VerifyRecord = z.output<typeof verifyRecordSchema>;

export const verifyInputSchema = z
  .object({
    mode: verifyModeSchema.default('quick'),
    /**
     * Deep: the server whose scratch databases the dumps are restored into, by those `restoreFields` of the source that
     * say where it is and as whom; a password is kept while the verification runs. Empty: a server started for it.
     */
    options: z.record(z.string(), z.unknown()).default({}),
  })
  .nullish()
  .transform((input) => input ?? { mode: 'quick' as const, options: {} });

const notFound = ['VERIFY_RECORD_NOT_FOUND'] as const;
const startErrors = ['BACKUP_RECORD_NO_ARTIFACT', 'VERIFY_RUNNING', 'NODE_OFFLINE', 'NOT_SUPPORTED'] as const;

export const verifyRoutes = {
  startForRecord: defineRoute({
    method: 'POST',
    path: '/api/backup/records/:id/verify',
    access: 'operator',
    summary: 'Prove that a record can be restored',
    audit: 'record.verify',
    params: idParams,
    body: verifyInputSchema,
    output: verifyRecordSchema,
    errors: ['BACKUP_RECORD_NOT_FOUND', ...startErrors],
  }),
  startForTask: defineRoute({
    method: 'POST',
    path: '/api/backup/tasks/:id/verify',
    access: 'operator',
    summary: 'Prove that the newest good record of a task can be restored',
    audit: 'task.verify',
    params: idParams,
    body: verifyInputSchema,
    output: verifyRecordSchema,
    errors: ['BACKUP_TASK_NOT_FOUND', ...startErrors],
  }),
  list: defineRoute({
    method: 'GET',
    path: '/api/verify/records',
    access: 'viewer',
    summary: 'Verifications, newest first',
    output: pageOf(verifyRowSchema),
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
    path: '/api/verify/records/:id',
    access: 'viewer',
    summary: 'One verification with its checks and log',
    params: idParams,
    output: verifyRecordSchema,
    errors: notFound,
  }),
  logStream: defineRoute({
    method: 'GET',
    path: '/api/verify/records/:id/logs/stream',
    access: 'viewer',
    summary: 'Log and progress, live',
    params: idParams,
    kind: 'events',
    errors: notFound,
  }),
  cancel: defineRoute({
    method: 'POST',
    path: '/api/verify/records/:id/cancel',
    access: 'operator',
    summary: 'Stop a running verification',
    audit: 'verify.cancel',
    params: idParams,
    output: okOutput,
    errors: [...notFound, 'BACKUP_RECORD_NOT_ACTIVE'],
  }),
} as const;
