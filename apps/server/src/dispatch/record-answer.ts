/** Records and restores as the API answers them. */
import type {
  BackupRecord,
  LastVerified,
  RecordRow as RecordRowAnswer,
  RestoreRecord,
  RestoreRow,
} from '@backupx/contracts/api/records';
import { AppError, type ErrorParams, isErrorCode } from '@backupx/contracts/errors';
import type { ItemProblem, JobProgress, OverwriteMode, SnapshotResult, TargetResult } from '@backupx/contracts/jobs';
import type { RecordStatus } from '@backupx/contracts/record-status';
import type { MaintenanceView } from '../stores/maintenance-records.store.ts';
import type { RecordListRow, RecordView } from '../stores/records.store.ts';
import type { RestoreRecordView } from '../stores/restore-records.store.ts';
import type { VerifyRecordView } from '../stores/verify-records.store.ts';
import type { Trigger } from './start-backup.ts';

/** Characters of the log in an answer; the whole of it comes from the log stream. */
export const MAX_LOG_CHARACTERS = 1024 * 1024;

/** Hint of a stored failure; empty when it has no code of ours or its hint needs what an agent did not tell. */
function hintOf(row: { error_code: string; error_params: string }): string {
  if (!isErrorCode(row.error_code)) return '';
  const hint = new AppError(row.error_code, JSON.parse(row.error_params || '{}') as ErrorParams).hint;
  return /\{\w+\}/.test(hint) ? '' : hint;
}

function secondsBetween(row: { started_at: string; completed_at: string | null }, now: Date): number {
  const end = row.completed_at === null ? now.getTime() : Date.parse(row.completed_at);
  return Math.max(0, Math.round((end - Date.parse(row.started_at)) / 1000));
}

function progressOf(row: { status: string; progress: string }): JobProgress | null {
  return row.status === 'running' && row.progress !== '' ? (JSON.parse(row.progress) as JobProgress) : null;
}

/** What every kind of run answers. */
export function runColumns(row: RecordListRow | RestoreRecordView | MaintenanceView | VerifyRecordView, now: Date) {
  return {
    id: row.id,
    nodeId: row.node_id,
    nodeName: row.node_name ?? '',
    status: row.status as RecordStatus,
    problemCount: row.problem_count,
    errorMessage: row.error_message,
    errorCode: row.error_code,
    errorHint: hintOf(row),
    progress: progressOf(row),
    startedAt: row.started_at,
    completedAt: row.completed_at,
    durationSeconds: secondsBetween(row, now),
  };
}

/** Null: it was never verified. */
export function lastVerifiedOf(
  row: Pick<RecordListRow, 'verified_status' | 'verified_mode' | 'verified_at'> | undefined,
): LastVerified | null {
  if (!row || row.verified_at === null) return null;
  const status = row.verified_status === 'success' ? 'success' : 'failed';
  return { status, mode: row.verified_mode === 'deep' ? 'deep' : 'quick', at: row.verified_at };
}

export function recordRowAnswer(row: RecordListRow, now: Date): RecordRowAnswer {
  return {
    ...runColumns(row, now),
    taskId: row.task_id,
    taskName: row.task_name,
    taskType: row.task_type,
    trigger: row.trigger as Trigger,
    backupKind: row.backup_kind,
    fileName: row.file_name,
    fileSize: row.file_size,
    checksum: row.checksum,
    storagePath: row.storage_path,
    storageTargetId: row.storage_target_id,
    storageTargetName: row.target_name ?? '',
    targets: JSON.parse(row.targets || '[]') as TargetResult[],
    encrypted: row.encrypted === 1 || row.repository_id > 0,
    repositoryId: row.repository_id,
    snapshotId: row.repository_id > 0 ? row.checksum : '',
    snapshot: row.snapshot === '' ? null : (JSON.parse(row.snapshot) as SnapshotResult),
    sourceBytes: row.source_bytes,
    itemCount: row.item_count,
    locked: row.locked === 1,
    lastVerified: lastVerifiedOf(row),
  };
}

export function recordAnswer(row: RecordView, logContent: string, now: Date): BackupRecord {
  return { ...recordRowAnswer(row, now), logContent, problems: JSON.parse(row.problems || '[]') as ItemProblem[] };
}

export function restoreRowAnswer(row: RestoreRecordView, now: Date): RestoreRow {
  return {
    ...runColumns(row, now),
    taskId: row.task_id,
    taskName: row.task_name,
    recordId: row.record_id,
    repositoryId: row.repository_id,
    snapshotId: row.snapshot_id,
    dryRun: row.dry_run === 1,
    targetPath: row.target_path,
    paths: JSON.parse(row.paths) as string[],
    overwrite: row.overwrite as OverwriteMode,
    options: JSON.parse(row.options) as Record<string, unknown>,
    safetyRecordId: row.safety_record_id,
    isWaiting: row.status === 'running' && row.waits_for_safety === 1,
    itemsWritten: row.items_written,
    bytesWritten: row.bytes_written,
    itemsSkipped: row.items_skipped,
    requestedBy: row.requested_by,
  };
}

export function restoreAnswer(row: RestoreRecordView, logContent: string, now: Date): RestoreRecord {
  return { ...restoreRowAnswer(row, now), logContent, problems: JSON.parse(row.problems || '[]') as ItemProblem[] };
}
