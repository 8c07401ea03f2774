/**
 * Starts and stops work on nodes; the table of contents of this folder.
 *
 * Everything that can be refused is refused before anything is created. Record and command are born in one transaction;
 * what comes after the commit (handing to the local queue, waking a poll) is repeated by the next start or poll.
 */
import { AppError } from '@backupx/contracts/errors';
import type { InspectTargetResult, JobResults } from '@backupx/contracts/jobs';
import type { Clock } from '@backupx/engine/ports/clock';
import type { EventBus } from '../event-bus.ts';
import { tasksStore } from '../stores/tasks.store.ts';
import type { ArtifactJobBuilder } from './build-job.ts';
import { cancelRun } from './cancel-run.ts';
import { chooseNode } from './choose-node.ts';
import type { LocalNode } from './local-node.ts';
import type { CommandQueue, ControlJob, Db, NodeDirectory, RecordLifecycle, RunRef } from './ports.ts';
import { type RemoveRecordOptions, removeRecord } from './remove-record.ts';
import { type PlanRepositoriesDeps, planRepositories } from './repositories/plan-repositories.ts';
import { createMaintenanceRecord, type MaintenanceStart } from './repositories/start-maintenance.ts';
import { askTarget } from './restore-preview.ts';
import { runFailureOf } from './run-failure.ts';
import { continueRestore, databasesToSave, type SafetyBackupDeps, startWithSafety } from './safety-backup.ts';
import { createBackupRecord, createFailedRecord, type SlotClaim, type Trigger } from './start-backup.ts';
import {
  createSnapshotRestore,
  insertRestore,
  planRecordRestore,
  type RecordRestore,
  type RestoreInput,
} from './start-restore.ts';
import { createVerification, type VerificationStart } from './verifications/start-verification.ts';

export interface DispatcherDeps {
  readonly db: Db;
  readonly clock: Clock;
  readonly bus: EventBus;
  readonly nodes: NodeDirectory;
  readonly queue: CommandQueue;
  readonly localNode: LocalNode;
  readonly builder: ArtifactJobBuilder;
  readonly lifecycle: RecordLifecycle;
  readonly engine: SafetyBackupDeps['engine'];
  readonly seal: PlanRepositoriesDeps['seal'];
  readonly open: (sealed: string) => string;
  readonly openTarget: PlanRepositoriesDeps['openTarget'];
}

export interface Dispatcher {
  /**
   * Starts a run; answers its record, or null when the slot was taken by somebody else. Throws BACKUP_TASK_NOT_FOUND,
   * BACKUP_TASK_DISABLED, BACKUP_TASK_RUNNING, NODE_OFFLINE (manual only), NOT_SUPPORTED.
   */
  startTask(taskId: number, start: { trigger: Trigger; slot?: SlotClaim }): Promise<number | null>;
  /** Keeps a scheduled run that could not start as a failed record. */
  recordFailedStart(taskId: number, start: { trigger: Trigger; slot: SlotClaim; error: unknown }): Promise<void>;
  startRestore(recordId: number, input: RestoreInput, requestedBy: string): Promise<number>;
  /** Lets the restore begin that waits for this backup, or ends it as failed; see `safety-backup.ts`. */
  continueRestore(safetyRecordId: number): Promise<void>;
  /** What that restore would replace, and who is connected to it. Throws what it would, NOT_SUPPORTED, DATABASE_*. */
  previewRestore(recordId: number, input: RestoreInput): Promise<InspectTargetResult>;
  /** The same for a snapshot of a repository, whoever made it. */
  startSnapshotRestore(start: {
    repositoryId: number;
    snapshotId: string;
    input: RestoreInput;
    requestedBy: string;
  }): Promise<number>;
  /** Starts work on a repository; answers its maintenance record. See `start-maintenance.ts`. */
  startMaintenance(start: MaintenanceStart): Promise<number>;
  /** Starts a proof that a record can be restored; answers its id. See `start-verification.ts`. */
  startVerification(start: VerificationStart): Promise<number>;
  cancelVerification(verifyRecordId: number): Promise<void>;
  cancelRecord(recordId: number): Promise<void>;
  cancelRestore(restoreRecordId: number): Promise<void>;
  cancelMaintenance(maintenanceRecordId: number): Promise<void>;
  /** Deletes artifact and record; see `remove-record.ts`. */
  removeRecord(recordId: number, options?: RemoveRecordOptions): Promise<void>;
  /** Asks a node a quick question. Throws TIMEOUT or AGENT_COMMAND_TIMEOUT after `timeoutMs` (default 15 s). */
  askNode<J extends ControlJob>(nodeId: number, job: J, timeoutMs?: number): Promise<JobResults[J['kind']]>;
}

const ASK_TIMEOUT_MS = 15_000;

export function createDispatcher(deps: DispatcherDeps): Dispatcher {
  const { db, bus, nodes, queue, localNode } = deps;

  function hand(run: RunRef, node: { id: number; isLocal: boolean }): void {
    if (node.isLocal) localNode.submit(run);
    else queue.wake(node.id);
  }

  async function askNode<J extends ControlJob>(nodeId: number, job: J, timeoutMs = ASK_TIMEOUT_MS) {
    if (nodeId === nodes.localNodeId) return await localNode.ask(job, timeoutMs);
    return await queue.ask(nodeId, job, timeoutMs);
  }

  const all = { ...deps, askNode };

  async function startAfterBackup(plan: RecordRestore, databases: readonly string[]): Promise<number> {
    const { recordId, restoreId } = await startWithSafety(all, plan, databases);
    const { id: restored, task_id: taskId } = plan.record;
    bus.publish({ type: 'record_changed', recordId, taskId, status: 'running' });
    bus.publish({ type: 'restore_changed', restoreRecordId: restoreId, recordId: restored, status: 'running' });
    hand({ owner: 'record', id: recordId }, plan.node);
    return restoreId;
  }

  return {
    async startTask(taskId, { trigger, slot }) {
      const task = await tasksStore.get(db, taskId);
      if (trigger !== 'manual' && task.enabled !== 1) throw new AppError('BACKUP_TASK_DISABLED', { name: task.name });
      const node = await chooseNode(nodes, {
        nodeId: task.node_id,
        sourceType: task.type,
        encrypt: task.encrypt === 1 && task.backup_mode !== 'repository',
        mode: task.backup_mode,
        mustBeOnline: trigger === 'manual',
      });
      const repositories = await planRepositories(deps, task, node);
      const recordId = await createBackupRecord(deps, { task, node, repositories, trigger, slot: slot ?? null });
      if (recordId === null) return null;
      bus.publish({ type: 'record_changed', recordId, taskId, status: 'running' });
      hand({ owner: 'record', id: recordId }, node);
      return recordId;
    },
    async recordFailedStart(taskId, { trigger, slot, error }) {
      const task = await tasksStore.get(db, taskId);
      const nodeId = task.node_id || nodes.localNodeId;
      const failure = runFailureOf(error);
      const recordId = await createFailedRecord(deps, { task, nodeId, trigger, slot, failure });
      if (recordId !== null) bus.publish({ type: 'record_changed', recordId, taskId, status: 'failed' });
    },
    async startRestore(recordId, input, requestedBy) {
      const plan = await planRecordRestore(deps, { recordId, input, requestedBy });
      const { node } = plan;
      const databases = await databasesToSave(all, plan);
      if (databases.length > 0) return await startAfterBackup(plan, databases);
      const id = await db.transaction().execute((trx) => insertRestore(deps, plan, { trx }));
      bus.publish({ type: 'restore_changed', restoreRecordId: id, recordId, status: 'running' });
      hand({ owner: 'restore', id }, node);
      return id;
    },
    async previewRestore(recordId, input) {
      const plan = await planRecordRestore(deps, { recordId, input, requestedBy: '' });
      return await askTarget(all, plan);
    },
    async continueRestore(safetyRecordId) {
      const next = await continueRestore(all, safetyRecordId);
      if (next) hand({ owner: 'restore', id: next.id }, next.node);
    },
    async startSnapshotRestore(start) {
      const { id, node } = await createSnapshotRestore(deps, start);
      bus.publish({ type: 'restore_changed', restoreRecordId: id, recordId: 0, status: 'running' });
      hand({ owner: 'restore', id }, node);
      return id;
    },
    async startMaintenance(start) {
      const { id, node } = await createMaintenanceRecord(deps, start);
      const { repositoryId } = start;
      bus.publish({ type: 'maintenance_changed', maintenanceRecordId: id, repositoryId, status: 'running' });
      hand({ owner: 'maintenance', id }, node);
      return id;
    },
    async startVerification(start) {
      const { id, node, record } = await createVerification(deps, start);
      const about = { verifyRecordId: id, recordId: record.id, taskId: record.task_id };
      bus.publish({ type: 'verify_changed', ...about, status: 'running' });
      hand({ owner: 'verify', id }, node);
      return id;
    },
    cancelVerification: (id) => cancelRun(deps, { owner: 'verify', id }),
    cancelRecord: (id) => cancelRun(deps, { owner: 'record', id }),
    cancelRestore: (id) => cancelRun(deps, { owner: 'restore', id }),
    cancelMaintenance: (id) => cancelRun(deps, { owner: 'maintenance', id }),
    removeRecord: (id, options) => removeRecord({ ...deps, askNode }, id, options),
    askNode,
  };
}
