/** Follow-up of every ended backup: finds the records whose time is over and queues their removal, one by one. */
import { isRestorable, type RecordStatus } from '@backupx/contracts/record-status';
import { z } from 'zod';
import { followupsStore } from '../stores/followups.store.ts';
import { recordsStore } from '../stores/records.store.ts';
import { tasksStore } from '../stores/tasks.store.ts';
import type { FollowupDeps } from './followup.ts';
import { expiredRecords } from './retention-policy.ts';

const payloadSchema = z.object({ taskId: z.number() });

export async function applyRetention(deps: FollowupDeps, payload: unknown): Promise<void> {
  const { taskId } = payloadSchema.parse(payload);
  const task = await tasksStore.find(deps.db, taskId);
  // Records of a deleted task stay until somebody removes them: nobody can see its rules any more.
  if (!task || task.deleted_at !== null) return;
  const rows = await recordsStore.endedOfTask(deps.db, taskId);
  const records = rows.map((row) => ({
    id: row.id,
    startedAt: row.started_at,
    isGood: isRestorable(row.status as RecordStatus) && row.storage_path !== '',
    isComplete: row.status === 'success' && row.storage_path !== '',
    isLocked: row.locked === 1,
  }));
  const policy = {
    retentionDays: task.retention_days,
    maxBackups: task.max_backups,
    keepDaily: task.keep_daily,
    keepWeekly: task.keep_weekly,
    keepMonthly: task.keep_monthly,
    keepYearly: task.keep_yearly,
  };
  const now = deps.clock.now();
  for (const recordId of expiredRecords(records, policy, now)) {
    if (await followupsStore.isOpen(deps.db, 'delete_artifact', { recordId })) continue;
    await followupsStore.queue(deps.db, { name: 'delete_artifact', payload: { recordId }, now: now.toISOString() });
  }
}
