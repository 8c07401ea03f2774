/** Creates a restore record, and for a remote node its command, in one transaction. */
import { isAbsolute, normalize, win32 } from 'node:path';
import { AppError } from '@backupx/contracts/errors';
import type { OverwriteMode } from '@backupx/contracts/jobs';
import { isRestorable, type RecordStatus } from '@backupx/contracts/record-status';
import type { Clock } from '@backupx/engine/ports/clock';
import { type RecordRow, recordsStore } from '../stores/records.store.ts';
import { repositoriesStore } from '../stores/repositories.store.ts';
import { repositoryLeasesStore } from '../stores/repository-leases.store.ts';
import { restoreRecordsStore } from '../stores/restore-records.store.ts';
import type { ArtifactJobBuilder } from './build-job.ts';
import { chooseRestoreNode } from './choose-node.ts';
import type { CommandQueue, Db, NodeDirectory, NodeState } from './ports.ts';
import { assertReachable } from './repositories/plan-repositories.ts';
import { keeperOf } from './repositories/repository-place.ts';
import { type CheckedOptions, type CheckOptionsDeps, checkOptions, noOptions } from './restore-options.ts';

export interface RestoreInput {
  readonly targetPath?: string | undefined;
  readonly paths?: readonly string[] | undefined;
  readonly nodeId?: number | undefined;
  readonly overwrite: OverwriteMode;
  readonly dryRun?: boolean | undefined;
  readonly options?: Readonly<Record<string, unknown>> | undefined;
  readonly safetyBackup?: boolean | undefined;
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

export interface StartRestoreDeps extends CheckOptionsDeps {
  readonly db: Db;
  readonly clock: Clock;
  readonly queue: CommandQueue;
  readonly nodes: NodeDirectory;
  readonly builder: ArtifactJobBuilder;
}

interface RestorePlan {
  readonly node: NodeState;
  readonly input: RestoreInput;
  readonly targetPath: string;
  readonly options: CheckedOptions;
  readonly requestedBy: string;
  /** Repository the artifact is read from; null: an archive. */
  readonly leasedRepositoryId: number | null;
  readonly about: {
    record_id: number;
    task_id: number;
    task_name: string;
    repository_id: number;
    snapshot_id: string;
  };
}

/** Answers its id. `safetyRecordId`: the backup it waits for; 0: it may begin. */
export async function insertRestore(
  deps: Pick<StartRestoreDeps, 'clock' | 'queue'>,
  plan: RestorePlan,
  { trx, safetyRecordId = 0 }: { trx: Db; safetyRecordId?: number },
): Promise<number> {
  const { node, input } = plan;
  const now = deps.clock.now().toISOString();
  const restoreRecordId = await restoreRecordsStore.insert(trx, {
    ...plan.about,
    node_id: node.id,
    status: 'running',
    dry_run: input.dryRun ? 1 : 0,
    target_path: plan.targetPath,
    paths: JSON.stringify(input.paths ?? []),
    overwrite: input.overwrite,
    options: JSON.stringify(plan.options.shown),
    options_sealed: plan.options.sealed,
    safety_record_id: safetyRecordId,
    waits_for_safety: safetyRecordId > 0 ? 1 : 0,
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
    requested_by: plan.requestedBy,
    started_at: now,
    completed_at: null,
  });
  if (plan.leasedRepositoryId !== null) {
    const lease = { repositoryId: plan.leasedRepositoryId, nodeId: node.id, now };
    await repositoryLeasesStore.begin(trx, { ...lease, owner: 'restore', ownerId: restoreRecordId });
  }
  if (!node.isLocal && safetyRecordId === 0) {
    await deps.queue.enqueueWork(trx, { nodeId: node.id, type: 'restore_record', restoreRecordId });
  }
  return restoreRecordId;
}

export interface RestoreStart {
  readonly recordId: number;
  readonly input: RestoreInput;
  readonly requestedBy: string;
}

/** A restore of a record that nothing speaks against. */
export interface RecordRestore extends RestorePlan {
  readonly record: RecordRow;
}

/** Throws BACKUP_RECORD_NO_ARTIFACT, INVALID_INPUT (options), RESTORE_TARGET_INVALID, NODE_OFFLINE, NOT_SUPPORTED. */
export async function planRecordRestore(deps: StartRestoreDeps, start: RestoreStart): Promise<RecordRestore> {
  const { input } = start;
  const record = await recordsStore.get(deps.db, start.recordId);
  if (!isRestorable(record.status as RecordStatus) || record.storage_path === '') {
    throw new AppError('BACKUP_RECORD_NO_ARTIFACT');
  }
  if (input.dryRun && record.repository_id === 0) {
    const hint = 'Restore the archive to an empty folder and look there.';
    throw new AppError('NOT_SUPPORTED', { what: 'A dry run with an archive', hint });
  }
  const targetPath = checkedTargetPath(input.targetPath);
  const options = checkOptions(deps, { type: record.task_type, given: input.options ?? {} });
  const node = await chooseRestoreNode(deps.nodes, {
    nodeId: input.nodeId ?? record.node_id,
    sourceType: record.task_type,
    hasOptions: options !== noOptions,
    isEncrypted: record.encrypted === 1,
    isPartial: targetPath !== '' || (input.paths ?? []).length > 0 || input.overwrite !== 'always',
    isSnapshot: record.repository_id > 0,
  });
  // Says now what would fail later: an artifact on another node's disk, a missing key, a removed target.
  const artifact = await deps.builder.storedArtifact(record.id, node.id);
  return {
    record,
    node,
    input,
    targetPath,
    options,
    requestedBy: start.requestedBy,
    leasedRepositoryId: artifact.snapshot?.repository.id ?? null,
    about: {
      record_id: record.id,
      task_id: record.task_id,
      task_name: record.task_name,
      repository_id: artifact.snapshot?.repository.id ?? 0,
      snapshot_id: artifact.snapshot?.snapshotId ?? '',
    },
  };
}

/** The same for a snapshot that may have no record of ours. Throws REPOSITORY_NOT_FOUND too. */
export async function createSnapshotRestore(
  deps: StartRestoreDeps,
  start: { repositoryId: number; snapshotId: string; input: RestoreInput; requestedBy: string },
): Promise<{ id: number; node: NodeState }> {
  const { input } = start;
  const row = await repositoriesStore.get(deps.db, start.repositoryId);
  const targetPath = checkedTargetPath(input.targetPath);
  if (targetPath === '') throw new AppError('RESTORE_TARGET_INVALID', { path: '', reason: 'it is empty' });
  const node = await chooseRestoreNode(deps.nodes, {
    nodeId: input.nodeId ?? keeperOf(row, deps.nodes.localNodeId),
    sourceType: 'file',
    hasOptions: false,
    isEncrypted: false,
    isPartial: true,
    isSnapshot: true,
  });
  assertReachable(row, node);
  const plan = {
    ...{ node, input, targetPath, options: noOptions, requestedBy: start.requestedBy, leasedRepositoryId: row.id },
    about: {
      record_id: 0,
      task_id: 0,
      task_name: row.name,
      repository_id: row.id,
      snapshot_id: start.snapshotId,
    },
  };
  const id = await deps.db.transaction().execute((trx) => insertRestore(deps, plan, { trx }));
  return { id, node };
}
