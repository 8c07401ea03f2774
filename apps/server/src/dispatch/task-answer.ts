/** Tasks as the API answers them: flat fields out of the driver's sealed settings, secrets masked. */
import type { Task } from '@backupx/contracts/api/tasks';
import type { DriverManifest } from '@backupx/contracts/driver-manifest';
import { compressionSchema } from '@backupx/contracts/jobs';
import type { RecordStatus } from '@backupx/contracts/record-status';
import { nodeNames } from '../stores/node-names.ts';
import { type RecordListRow, recordsStore } from '../stores/records.store.ts';
import { type TaskRow, type TaskTargetRow, tasksStore } from '../stores/tasks.store.ts';
import { flatSource } from './flat-source.ts';
import type { Db } from './ports.ts';
import { lastVerifiedOf } from './record-answer.ts';

export interface TaskAnswerDeps {
  readonly db: Db;
  readonly open: (sealed: string) => string;
  readonly sourceManifests: readonly DriverManifest[];
  readonly localNodeId: () => number;
}

function runFields(last: RecordListRow | undefined, good: RecordListRow | undefined) {
  return {
    lastStatus: last?.status ?? '',
    lastRunAt: last?.started_at ?? null,
    lastRun: last
      ? {
          recordId: last.id,
          status: last.status as RecordStatus,
          startedAt: last.started_at,
          completedAt: last.completed_at,
        }
      : null,
    lastSuccessAt: good?.completed_at ?? null,
  };
}

interface TaskParts {
  readonly targets: readonly TaskTargetRow[];
  readonly nodeId: number;
  readonly nodeName: string;
  readonly last: RecordListRow | undefined;
  readonly good: RecordListRow | undefined;
  readonly verified: RecordListRow | undefined;
}

function taskAnswer(deps: TaskAnswerDeps, row: TaskRow, parts: TaskParts): Task {
  const config = JSON.parse(deps.open(row.source_sealed)) as Record<string, unknown>;
  const manifest = deps.sourceManifests.find((one) => one.type === row.type);
  const source = flatSource(config, manifest);
  return {
    id: row.id,
    name: row.name,
    type: row.type,
    enabled: row.enabled === 1,
    cronExpr: row.cron_expr,
    timezone: row.timezone,
    nodeId: parts.nodeId,
    nodeName: parts.nodeName,
    ...source,
    sourcePath: source.sourcePaths[0] ?? '',
    storageTargetId: parts.targets[0]?.storage_target_id ?? 0,
    storageTargetIds: parts.targets.map((target) => target.storage_target_id),
    storageTargetNames: parts.targets.map((target) => target.target_name),
    compression: compressionSchema.parse(row.compression),
    encrypt: row.encrypt === 1,
    backupMode: row.backup_mode,
    repositoryId: row.repository_id,
    tags: JSON.parse(row.tags) as string[],
    slaHoursRpo: row.sla_hours_rpo,
    verifyEnabled: row.verify_enabled === 1,
    verifyCronExpr: row.verify_cron_expr,
    verifyMode: row.verify_mode === 'deep' ? 'deep' : 'quick',
    lastVerified: lastVerifiedOf(parts.verified),
    nextVerifyAt: row.next_verify_at,
    retentionDays: row.retention_days,
    maxBackups: row.max_backups,
    keepDaily: row.keep_daily,
    keepWeekly: row.keep_weekly,
    keepMonthly: row.keep_monthly,
    keepYearly: row.keep_yearly,
    ...runFields(parts.last, parts.good),
    nextRunAt: row.next_run_at,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}

/** Answers in the order of `rows`; four statements for any number of tasks. */
export async function taskAnswers(deps: TaskAnswerDeps, rows: readonly TaskRow[]): Promise<Task[]> {
  const ids = rows.map((row) => row.id);
  const targets = await tasksStore.targetsOf(deps.db, ids);
  const runs = await recordsStore.lastRuns(deps.db, ids);
  const names = await nodeNames(deps.db);
  return rows.map((row) => {
    const nodeId = row.node_id || deps.localNodeId();
    return taskAnswer(deps, row, {
      targets: targets.get(row.id) ?? [],
      nodeId,
      nodeName: names.get(nodeId) ?? '',
      last: runs.last.get(row.id),
      good: runs.good.get(row.id),
      verified: runs.verified.get(row.id),
    });
  });
}
