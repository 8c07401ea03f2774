/** Stops a run wherever it is. Its end is written by whoever runs it, or here when nobody can write it any more. */
import { AppError } from '@backupx/contracts/errors';
import { runStores } from '../stores/run-stores.ts';
import type { LocalNode } from './local-node.ts';
import type { CommandQueue, Db, NodeDirectory, NodeState, RecordLifecycle } from './ports.ts';
import { cancelledFailure } from './run-failure.ts';
import type { LocalRun } from './run-locally.ts';

export interface CancelDeps {
  readonly db: Db;
  readonly nodes: NodeDirectory;
  readonly queue: CommandQueue;
  readonly localNode: LocalNode;
  readonly lifecycle: RecordLifecycle;
}

async function nodeOrNull(nodes: NodeDirectory, id: number): Promise<NodeState | null> {
  try {
    return await nodes.get(id);
  } catch (error) {
    if (error instanceof AppError && error.code === 'NODE_NOT_FOUND') return null;
    throw error;
  }
}

/** True when the node will report the end itself. Agents from the field cannot be told, offline ones not now. */
async function isToldToStop(deps: CancelDeps, run: LocalRun, nodeId: number): Promise<boolean> {
  if (nodeId === deps.nodes.localNodeId) return deps.localNode.cancel(run);
  const node = await nodeOrNull(deps.nodes, nodeId);
  if (!node) return false;
  const endedAtOnce = await deps.queue.cancelRun(run.owner, run.id);
  deps.queue.wake(nodeId);
  return !endedAtOnce && node.isOnline && node.protocol !== 1;
}

/** Throws the NOT_FOUND of its kind, BACKUP_RECORD_NOT_ACTIVE. */
export async function cancelRun(deps: CancelDeps, run: LocalRun): Promise<void> {
  const store = runStores[run.owner];
  const { node_id: nodeId } = await store.get(deps.db, run.id);
  if (!(await store.requestCancel(deps.db, run.id))) throw new AppError('BACKUP_RECORD_NOT_ACTIVE');
  if (await isToldToStop(deps, run, nodeId)) return;
  const outcome = { status: 'cancelled', failure: cancelledFailure } as const;
  // On this machine nothing runs that was not found; another one may be at it still.
  await deps.lifecycle.finishFailed(run, outcome, { mayGoOn: nodeId !== deps.nodes.localNodeId });
}
