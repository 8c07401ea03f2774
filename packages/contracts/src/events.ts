/** Events on `GET /api/events/stream` (server-sent events, ids ascending, replayed after `Last-Event-ID`). */
import { z } from 'zod';
import { idSchema, timeSchema } from './define-route.ts';
import { jobProgressSchema } from './jobs.ts';
import { recordStatusSchema } from './record-status.ts';

export const consoleEventSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('record_changed'), recordId: idSchema, taskId: idSchema, status: recordStatusSchema }),
  z.object({ type: z.literal('record_progress'), recordId: idSchema, taskId: idSchema, progress: jobProgressSchema }),
  z.object({ type: z.literal('record_deleted'), recordId: idSchema, taskId: idSchema }),
  z.object({
    type: z.literal('restore_changed'),
    restoreRecordId: idSchema,
    /** 0: a snapshot without a record of ours. */
    recordId: z.number(),
    status: recordStatusSchema,
  }),
  z.object({
    type: z.literal('restore_progress'),
    restoreRecordId: idSchema,
    recordId: z.number(),
    progress: jobProgressSchema,
  }),
  z.object({
    type: z.literal('maintenance_changed'),
    maintenanceRecordId: idSchema,
    repositoryId: idSchema,
    status: recordStatusSchema,
  }),
  z.object({
    type: z.literal('maintenance_progress'),
    maintenanceRecordId: idSchema,
    repositoryId: idSchema,
    progress: jobProgressSchema,
  }),
  z.object({
    type: z.literal('verify_changed'),
    verifyRecordId: idSchema,
    recordId: idSchema,
    taskId: idSchema,
    status: recordStatusSchema,
  }),
  z.object({
    type: z.literal('verify_progress'),
    verifyRecordId: idSchema,
    recordId: idSchema,
    progress: jobProgressSchema,
  }),
  z.object({ type: z.literal('repository_changed'), repositoryId: idSchema }),
  z.object({ type: z.literal('node_changed'), nodeId: idSchema, isOnline: z.boolean() }),
  z.object({ type: z.literal('task_changed'), taskId: idSchema }),
  z.object({ type: z.literal('storage_target_changed'), storageTargetId: idSchema }),
]);
export type ConsoleEvent = z.output<typeof consoleEventSchema>;

/** Events on `…/records/:id/logs/stream`; `log` carries the text from `offset` (characters) on. */
export const recordLogEventSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('log'), offset: z.number(), text: z.string() }),
  z.object({ type: z.literal('progress'), progress: jobProgressSchema }),
  z.object({ type: z.literal('end'), status: recordStatusSchema, completedAt: timeSchema.nullable() }),
]);
export type RecordLogEvent = z.output<typeof recordLogEventSchema>;
