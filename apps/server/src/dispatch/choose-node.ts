/** Which node runs a task, and whether it can: every refusal happens here, before anything is created. */
import { AppError } from '@backupx/contracts/errors';
import type { NodeDirectory, NodeState } from './ports.ts';

/** What a run needs of a node. */
export interface NodeDemand {
  /** 0: the local node. */
  readonly nodeId: number;
  readonly sourceType: string;
  readonly encrypt: boolean;
  /** A backup mode, see the contract of tasks. */
  readonly mode: string;
  /** Manual runs want an answer now; a scheduled one may wait for the node. */
  readonly mustBeOnline: boolean;
}

/**
 * Throws NOT_SUPPORTED when the agent cannot write into a repository. A node that never connected may turn out to:
 * asked again when a run starts.
 */
export function assertKnowsMode(node: NodeState, mode: string): void {
  if (mode === 'full' || node.isLocal || node.protocol === 0) return;
  if (node.modes?.includes(mode)) return;
  throw new AppError('NOT_SUPPORTED', {
    what: `The mode "${mode}" on ${node.name}`,
    hint: `The agent on ${node.name} is an older version that writes archives only. Install the current agent there, or choose the mode "full" for this task.`,
  });
}

/** Throws NOT_SUPPORTED when the agent did not announce this kind of job. */
export function assertKnowsJob(node: NodeState, kind: string): void {
  if (node.isLocal || node.jobKinds?.includes(kind)) return;
  throw new AppError('NOT_SUPPORTED', {
    what: `${kind.replaceAll('_', ' ')} on ${node.name}`,
    hint: `Install the current agent on ${node.name}.`,
  });
}

function assertKnowsSource(node: NodeState, type: string): void {
  if (node.isLocal || !node.sourceTypes || node.sourceTypes.includes(type)) return;
  throw new AppError('NOT_SUPPORTED', {
    what: `A source of type ${type} on ${node.name}`,
    hint: `Update the agent on ${node.name}; it knows ${node.sourceTypes.join(', ') || 'no sources'}.`,
  });
}

/** Throws NODE_NOT_FOUND, NODE_OFFLINE or NOT_SUPPORTED. */
export async function chooseNode(nodes: NodeDirectory, demand: NodeDemand): Promise<NodeState> {
  const node = await nodes.get(demand.nodeId === 0 ? nodes.localNodeId : demand.nodeId);
  if (node.isLocal) return node;
  if (demand.mustBeOnline && !node.isOnline) throw new AppError('NODE_OFFLINE', { node: node.name });
  if (demand.encrypt && node.protocol === 1) {
    throw new AppError('NOT_SUPPORTED', {
      what: `Encryption on ${node.name}`,
      hint: `The agent on ${node.name} is an older version that cannot encrypt. Install the current agent there or switch encryption off for this task.`,
    });
  }
  assertKnowsMode(node, demand.mode);
  assertKnowsSource(node, demand.sourceType);
  return node;
}

/** What a restore needs of a node; agents from the field can only put everything back to its original place, over what is there. */
export interface RestoreDemand {
  readonly nodeId: number;
  readonly isEncrypted: boolean;
  readonly isPartial: boolean;
  readonly isSnapshot: boolean;
  readonly sourceType: string;
  /** Chosen beyond paths, folder and mode; agents that do not know them would restore something else. */
  readonly hasOptions: boolean;
}

/** Throws NODE_NOT_FOUND, NODE_OFFLINE or NOT_SUPPORTED. */
export async function chooseRestoreNode(nodes: NodeDirectory, demand: RestoreDemand): Promise<NodeState> {
  const node = await nodes.get(demand.nodeId === 0 ? nodes.localNodeId : demand.nodeId);
  if (node.isLocal) return node;
  if (!node.isOnline) throw new AppError('NODE_OFFLINE', { node: node.name });
  if (demand.isSnapshot) assertKnowsMode(node, 'repository');
  if (demand.hasOptions) assertKnowsJob(node, 'inspect_source');
  assertKnowsSource(node, demand.sourceType);
  if (node.protocol === 1 && (demand.isEncrypted || demand.isPartial)) {
    throw new AppError('NOT_SUPPORTED', {
      what: demand.isEncrypted
        ? `Restoring an encrypted artifact on ${node.name}`
        : `Choosing a folder, paths or the overwrite mode on ${node.name}`,
      hint: `The agent on ${node.name} is an older version: it puts everything back and overwrites what is there (overwrite: always). Install the current agent there, or restore on another server.`,
    });
  }
  return node;
}
