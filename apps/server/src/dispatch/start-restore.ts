/** Creates a restore record, and for a remote node its command, in one transaction. */
import { isAbsolute, normalize, win32 } from 'node:path';
import { AppError } from '@backupx/contracts/errors';
import type { OverwriteMode } from '@backupx/contracts/jobs';
import { isRestorable, type RecordStatus } from '@backupx/contracts/record-status';
import type { Clock } from '@backupx/engine/ports/clock';
import { recordsStore } from '../stores/records.store.ts';
import { restoreRecordsStore } from '../stores/restore-records.store.ts';
import { chooseRestoreNode } from './choose-node.ts';
import type { CommandQueue, Db, JobBuilder, NodeDirectory, NodeState } from './ports.ts';

export interface RestoreInput {
  readonly targetPath?: string | undefined;
  readonly paths?: readonly string[] | undefined;
  readonly nodeId?: number | undefined;
  readonly overwrite: OverwriteMode;
}

/** Absolute and free of `..`; empty means the original place. Throws RESTORE_TARGET_INVALID. */
function checkedTargetPath(input: string | undefined): string {
  const path = input?.trim() ?? '';
  if (path === '') return '';
  const invalid = (reason: string) => new AppError('RESTORE_TARGET_INVALID', { path, reason });
  if (!isAbsolute(path) && !win32.isAbsolute(path)) throw invalid('it is not an absolute path');
  if (path.includes('\0')) throw invalid('it contains a zero byte');
  if (path.split(/[\\/]/).includes('..')) throw invalid('it contains ".."');
  return isAbsolute(path) ? normalize(path) : path;
}

/** Throws BACKUP_RECORD_NO_ARTIFACT, RESTORE_TARGET_INVALID, NODE_OFFLINE, NOT_SUPPORTED. */
export async function createRestoreRecord(
  deps: { db: Db; clock: Clock; queue: CommandQueue; nodes: NodeDirectory; builder: JobBuilder },
  start: { recordId: number; input: RestoreInput; requestedBy: string },
): Promise<{ id: number; node: NodeState }> {
  const record = await recordsStore.get(deps.db, start.recordId);
  if (!isRestorable(record.status as RecordStatus) || record.storage_path === '') {
    throw new AppError('BACKUP_RECORD_NO_ARTIFACT');
  }
  const targetPath = checkedTargetPath(start.input.targetPath);
  const paths = start.input.paths ?? [];
  const node = await chooseRestoreNode(deps.nodes, {
    nodeId: start.input.nodeId ?? record.node_id,
    isEncrypted: record.encrypted === 1,
    isPartial: targetPath !== '' || paths.length > 0 || start.input.overwrite !== 'always',
  });
  // Says now what would fail later: an artifact on another node's disk, a missing key, a removed target.
  await deps.builder.storedArtifact(record.id, node.id);

  const now = deps.clock.now().toISOString();
  const id = await deps.db.transaction().execute(async (trx) => {
    const restoreRecordId = await restoreRecordsStore.insert(trx, {
      record_id: record.id,
      task_id: record.task_id,
      task_name: record.task_name,
      node_id: node.id,
      status: 'running',
      target_path: targetPath,
      paths: JSON.stringify(paths),
      overwrite: start.input.overwrite,
      items_written: 0,
      bytes_written: 0,
      items_skipped: 0,
      problems: '[]',
      problem_count: 0,
      error_message: '',
      error_code: '',
      error_params: '{}',
      cancel_requested: 0,
      progress: '',
      last_activity_at: now,
      log_sequence: 0,
      requested_by: start.requestedBy,
      started_at: now,
      completed_at: null,
    });
    if (!node.isLocal) {
      await deps.queue.enqueueWork(trx, { nodeId: node.id, type: 'restore_record', restoreRecordId });
    }
    return restoreRecordId;
  });
  return { id, node };
}
