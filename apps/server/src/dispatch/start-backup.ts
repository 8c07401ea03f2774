/** Creates the record of a run, and for a remote node its command, in one transaction. */
import { AppError } from '@backupx/contracts/errors';
import type { Clock } from '@backupx/engine/ports/clock';
import { recordsStore } from '../stores/records.store.ts';
import type { RepositoryRow } from '../stores/repositories.store.ts';
import { repositoryLeasesStore } from '../stores/repository-leases.store.ts';
import { type TaskRow, tasksStore } from '../stores/tasks.store.ts';
import { baseNameOf, keyPrefixOf } from './name-objects.ts';
import type { CommandQueue, Db, NodeState, RunFailure } from './ports.ts';
import { snapshotsFolder } from './repositories/repository-place.ts';

export type Trigger = 'manual' | 'schedule' | 'catch_up' | 'safety';

/** A slot of the schedule that this run takes; claimed in the same transaction, so it is neither lost nor run twice. */
export interface SlotClaim {
  readonly slotAt: string;
  readonly nextRunAt: string | null;
}

interface BackupStart {
  readonly task: TaskRow;
  readonly node: NodeState;
  /** Mode `repository`: the first gets the snapshot, the others a copy; empty: an archive. */
  readonly repositories: readonly RepositoryRow[];
  readonly trigger: Trigger;
  readonly slot: SlotClaim | null;
  /** Settings other than those of the task. */
  readonly sourceSealed?: string;
}

type RecordStart = Omit<BackupStart, 'node' | 'repositories'> & { nodeId: number };

function newRecord(start: RecordStart, now: Date) {
  const { task } = start;
  return {
    task_id: task.id,
    task_name: task.name,
    task_type: task.type,
    node_id: start.nodeId,
    status: 'running',
    trigger: start.trigger,
    backup_kind: task.backup_mode,
    source_sealed: start.sourceSealed ?? task.source_sealed,
    compression: task.compression,
    // A repository has its own encryption, always.
    encrypted: task.backup_mode === 'repository' ? 0 : task.encrypt,
    key_prefix: '',
    base_name: baseNameOf(task.name, now),
    file_name: '',
    file_size: 0,
    checksum: '',
    storage_path: '',
    contents_path: '',
    storage_target_id: 0,
    repository_id: 0,
    snapshot: '',
    targets: '[]',
    source_bytes: 0,
    item_count: 0,
    problem_count: 0,
    problems: '[]',
    error_message: '',
    error_code: '',
    error_params: '{}',
    locked: 0,
    cancel_requested: 0,
    progress: '',
    last_activity_at: now.toISOString(),
    slot_at: start.slot?.slotAt ?? null,
    log_sequence: 0,
    started_at: now.toISOString(),
    completed_at: null,
  } as const;
}

/** Throws BACKUP_TASK_RUNNING. */
async function refuseSecondRun(db: Db, task: TaskRow): Promise<void> {
  const recordId = await recordsStore.runningIdOfTask(db, task.id);
  if (recordId !== undefined) throw new AppError('BACKUP_TASK_RUNNING', { name: task.name, recordId });
}

/** Where the run writes: for an archive a folder of its own, otherwise the snapshots of its repository. */
function placeOf(start: BackupStart, recordId: number) {
  const [first] = start.repositories;
  if (!first) return { key_prefix: keyPrefixOf(start.task, recordId) };
  return { key_prefix: snapshotsFolder(first.prefix), repository_id: first.id };
}

/** Answers the record's id, or null when somebody else took the slot. */
export async function createBackupRecord(
  deps: { db: Db; clock: Clock; queue: CommandQueue },
  start: BackupStart,
  /** More to be done in the same transaction. */
  andThen?: (trx: Db, recordId: number) => Promise<void>,
): Promise<number | null> {
  const now = deps.clock.now();
  try {
    return await deps.db.transaction().execute(async (trx) => {
      await refuseSecondRun(trx, start.task);
      if (start.slot && !(await tasksStore.claimSlot(trx, { taskId: start.task.id, ...start.slot }))) return null;
      const id = await recordsStore.insert(trx, newRecord({ ...start, nodeId: start.node.id }, now));
      await recordsStore.update(trx, id, placeOf(start, id));
      for (const repository of start.repositories) {
        const lease = { repositoryId: repository.id, owner: 'record', ownerId: id, nodeId: start.node.id } as const;
        await repositoryLeasesStore.begin(trx, { ...lease, now: now.toISOString() });
      }
      if (!start.node.isLocal) {
        const command = { nodeId: start.node.id, type: 'run_task', taskId: start.task.id, recordId: id } as const;
        await deps.queue.enqueueWork(trx, command);
      }
      await andThen?.(trx, id);
      return id;
    });
  } catch (error) {
    // Two processes may pass the check at once; the unique index then stops the second.
    if (!(error instanceof AppError)) await refuseSecondRun(deps.db, start.task);
    throw error;
  }
}

/** A scheduled run that could not even start is a failed record, not a line in a log nobody reads. */
export async function createFailedRecord(
  deps: { db: Db; clock: Clock },
  start: { task: TaskRow; nodeId: number; trigger: Trigger; slot: SlotClaim; failure: RunFailure },
): Promise<number | null> {
  const now = deps.clock.now();
  return await deps.db.transaction().execute(async (trx) => {
    if (!(await tasksStore.claimSlot(trx, { taskId: start.task.id, ...start.slot }))) return null;
    const { task, trigger, slot, nodeId } = start;
    const row = newRecord({ task, trigger, slot, nodeId }, now);
    return await recordsStore.insert(trx, {
      ...row,
      status: 'failed',
      completed_at: now.toISOString(),
      error_code: start.failure.code,
      error_params: JSON.stringify(start.failure.params),
      error_message: start.failure.message,
    });
  });
}
