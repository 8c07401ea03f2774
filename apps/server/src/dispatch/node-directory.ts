/** Node configuration and liveness in one answer, for whoever chooses a node or asks it something. */
import { AGENT_PROTOCOL_VERSION } from '@backupx/contracts/agent-protocol';
import { AppError } from '@backupx/contracts/errors';
import { nodesStore } from '../stores/nodes.store.ts';
import type { NodeLiveness } from './node-liveness.ts';
import type { Db, NodeDirectory } from './ports.ts';

interface Capabilities {
  readonly sources?: readonly string[];
  readonly storages?: readonly string[];
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
      const capabilities = state?.capabilities ? (JSON.parse(state.capabilities) as Capabilities) : null;
      return {
        id: row.id,
        name: row.name,
        isLocal,
        isOnline: isLocal || liveness.isOnline(nodeId),
        protocol: isLocal ? AGENT_PROTOCOL_VERSION : (state?.protocol ?? 0),
        sourceTypes: capabilities?.sources ?? null,
        storageTypes: capabilities?.storages ?? null,
      };
    },
  };
}
