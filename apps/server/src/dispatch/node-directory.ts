/** Node configuration and liveness in one answer, for whoever chooses a node or asks it something. */
import { hostname } from 'node:os';
import { AGENT_PROTOCOL_VERSION } from '@backupx/contracts/agent-protocol';
import { backupModeSchema } from '@backupx/contracts/api/tasks';
import { AppError } from '@backupx/contracts/errors';
import { jobLanes } from '@backupx/contracts/jobs';
import { nodesStore } from '../stores/nodes.store.ts';
import type { NodeLiveness } from './node-liveness.ts';
import type { Db, NodeDirectory } from './ports.ts';

interface Capabilities {
  readonly sources?: readonly string[];
  readonly storages?: readonly string[];
  readonly jobs?: readonly string[];
  readonly modes?: readonly string[];
}

/** What a node can do: the master everything, an agent what it announced, null where it said nothing. */
function abilities(isLocal: boolean, announced: string | undefined) {
  if (isLocal) {
    const all = { jobKinds: Object.keys(jobLanes), modes: backupModeSchema.options };
    return { ...all, sourceTypes: null, storageTypes: null };
  }
  const told = announced ? (JSON.parse(announced) as Capabilities) : {};
  return {
    sourceTypes: told.sources ?? null,
    storageTypes: told.storages ?? null,
    jobKinds: told.jobs ?? null,
    modes: told.modes ?? null,
  };
}

export function createNodeDirectory(options: {
  readonly db: Db;
  readonly localNodeId: number;
  readonly liveness: NodeLiveness;
}): NodeDirectory {
  const { db, localNodeId, liveness } = options;
  return {
    localNodeId,
    async get(nodeId) {
      const row = await nodesStore.find(db, nodeId);
      if (!row) throw new AppError('NODE_NOT_FOUND');
      const isLocal = row.is_local === 1;
      const state = liveness.get(nodeId);
      return {
        id: row.id,
        name: row.name,
        isLocal,
        isOnline: isLocal || liveness.isOnline(nodeId),
        protocol: isLocal ? AGENT_PROTOCOL_VERSION : (state?.protocol ?? 0),
        hostname: isLocal ? hostname() : (state?.hostname ?? ''),
        ...abilities(isLocal, state?.capabilities),
      };
    },
  };
}
