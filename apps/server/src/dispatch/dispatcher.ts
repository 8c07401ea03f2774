/**
 * Starts and stops work on nodes; the table of contents of this folder.
 *
 * Everything that can be refused is refused before anything is created. Record and command are born in one transaction;
 * what comes after the commit (handing to the local queue, waking a poll) is repeated by the next start or poll.
 */
import { AppError } from '@backupx/contracts/errors';
import type { JobResults } from '@backupx/contracts/jobs';
import type { Clock } from '@backupx/engine/ports/clock';
import type { EventBus } from '../event-bus.ts';
import { tasksStore } from '../stores/tasks.store.ts';
import type { ArtifactJobBuilder } from './build-job.ts';
import { cancelRun } from './cancel-run.ts';
import { chooseNode } from './choose-node.ts';
import type { LocalNode } from './local-node.ts';
import type { CommandQueue, ControlJob, Db, NodeDirectory, RecordLifecycle } from './ports.ts';
import { type RemoveRecordOptions, removeRecord } from './remove-record.ts';
import { runFailureOf } from './run-failure.ts';
import { createBackupRecord, createFailedRecord, type SlotClaim, type Trigger } from './start-backup.ts';
import { createRestoreRecord, type RestoreInput } from './start-restore.ts';

export interface DispatcherDeps {
  readonly db: Db;
  readonly clock: Clock;
  readonly bus: EventBus;
  readonly nodes: NodeDirectory;
  readonly queue: CommandQueue;
  readonly localNode: LocalNode;
  readonly builder: ArtifactJobBuilder;
  readonly lifecycle: RecordLifecycle;
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
  cancelRecord(recordId: number): Promise<void>;
  cancelRestore(restoreRecordId: number): Promise<void>;
  /** Deletes artifact and record; see `remove-record.ts`. */
  removeRecord(recordId: number, options?: RemoveRecordOptions): Promise<void>;
  /** Asks a node a quick question. Throws TIMEOUT or AGENT_COMMAND_TIMEOUT after `timeoutMs` (default 15 s). */
  askNode<J extends ControlJob>(nodeId: number, job: J, timeoutMs?: number): Promise<JobResults[J['kind']]>;
}

const ASK_TIMEOUT_MS = 15_000;

export function createDispatcher(deps: DispatcherDeps): Dispatcher {
  const { db, bus, nodes, queue, localNode } = deps;

  function hand(run: { owner: 'record' | 'restore'; id: number }, node: { id: number; isLocal: boolean }): void {
    if (node.isLocal) localNode.submit(run);
    else queue.wake(node.id);
  }

  async function askNode<J extends ControlJob>(nodeId: number, job: J, timeoutMs = ASK_TIMEOUT_MS) {
    if (nodeId === nodes.localNodeId) return await localNode.ask(job, timeoutMs);
    return await queue.ask(nodeId, job, timeoutMs);
  }

  return {
    async startTask(taskId, { trigger, slot }) {
      const task = await tasksStore.get(db, taskId);
      if (trigger !== 'manual' && task.enabled !== 1) throw new AppError('BACKUP_TASK_DISABLED', { name: task.name });
      const node = await chooseNode(nodes, {
        nodeId: task.node_id,
        sourceType: task.type,
        encrypt: task.encrypt === 1,
        mustBeOnline: trigger === 'manual',
      });
      const recordId = await createBackupRecord(deps, { task, node, trigger, slot: slot ?? null });
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
      const { id, node } = await createRestoreRecord(deps, { recordId, input, requestedBy });
      bus.publish({ type: 'restore_changed', restoreRecordId: id, recordId, status: 'running' });
      hand({ owner: 'restore', id }, node);
      return id;
    },
    cancelRecord: (id) => cancelRun(deps, { owner: 'record', id }),
    cancelRestore: (id) => cancelRun(deps, { owner: 'restore', id }),
    removeRecord: (id, options) => removeRecord({ ...deps, askNode }, id, options),
    askNode,
  };
}
