/** Follow-up of every ended backup: finds the records whose time is over and queues their removal, one by one. */
import { isRestorable, type RecordStatus } from '@backupx/contracts/record-status';
import { z } from 'zod';
import { followupsStore } from '../stores/followups.store.ts';
import { recordsStore } from '../stores/records.store.ts';
import { tasksStore } from '../stores/tasks.store.ts';
import type { FollowupDeps } from './followup.ts';
import { expiredRecords } from './retention-policy.ts';

/** What was there before a restore, in tasks that have a rule at all. */
const KEEP_SAFETY_MS = 30 * 86_400_000;
const payloadSchema = z.object({ taskId: z.number() });

export async function applyRetention(deps: FollowupDeps, payload: unknown): Promise<void> {
  const { taskId } = payloadSchema.parse(payload);
  const task = await tasksStore.find(deps.db, taskId);
  // Records of a deleted task stay until somebody removes them: nobody can see its rules any more.
  if (!task || task.deleted_at !== null) return;
  const rows = await recordsStore.endedOfTask(deps.db, taskId);
  const now = deps.clock.now();
  const oldestSafety = new Date(now.getTime() - KEEP_SAFETY_MS).toISOString();
  const ownRows = rows.filter((row) => row.trigger !== 'safety');
  // Beside the rules: it takes no place of a backup of the task, and none of them makes it superfluous.
  const safety = rows.filter((row) => row.trigger === 'safety' && row.locked === 0 && row.started_at < oldestSafety);
  const records = ownRows.map((row) => ({
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
  const hasRule = Object.values(policy).some((count) => count > 0);
  const expiredSafety = hasRule ? safety.map((row) => row.id) : [];
  for (const recordId of [...expiredRecords(records, policy, now), ...expiredSafety]) {
    if (await followupsStore.isOpen(deps.db, 'delete_artifact', { recordId })) continue;
    await followupsStore.queue(deps.db, { name: 'delete_artifact', payload: { recordId }, now: now.toISOString() });
  }
}
