/** Where repositories lie and who reaches them: pure rules. See `locate-artifact` for the same about archives. */
import type { JobTarget } from '@backupx/contracts/jobs';
import type { RepositoryRow } from '../../stores/repositories.store.ts';
import type { OpenedTarget } from '../locate-artifact.ts';
import { safeTaskName } from '../name-objects.ts';

const FOLDER_TYPE = 'local_disk';

type Place = Pick<RepositoryRow, 'node_id' | 'is_on_node_disk'>;

/** True when a repository of this node on this target would lie on the node's own disk. */
export function liesOnNodeDisk(target: OpenedTarget, node: { isLocal: boolean }): boolean {
  return target.type === FOLDER_TYPE && !node.isLocal && target.config.masterRelay !== true;
}

/** The node that works on a repository: the master whenever it reaches it. */
export function keeperOf(row: Place, localNodeId: number): number {
  return row.is_on_node_disk === 1 ? row.node_id : localNodeId;
}

/** True when `node` can open it, straight or through the master's gateway. */
export function isReachableFrom(row: Place, nodeId: number): boolean {
  return row.is_on_node_disk === 0 || row.node_id === nodeId;
}

/**
 * The target as a node sees it; null when it lies on another node's disk. Settings of a storage that is reached
 * through the master stay there.
 */
export function targetForNode(
  row: Place,
  target: OpenedTarget,
  node: { id: number; isLocal: boolean },
): JobTarget | null {
  if (!isReachableFrom(row, node.id)) return null;
  const viaMaster = row.is_on_node_disk === 0 && target.type === FOLDER_TYPE && !node.isLocal;
  return {
    id: target.id,
    name: target.name,
    type: target.type,
    config: viaMaster ? {} : target.config,
    viaMaster,
  };
}

/** Folder of a node's own repository in a storage. */
export function ownPrefix(node: { id: number; name: string }): string {
  return `repositories/${safeTaskName(node.name)}-${node.id}`;
}

/** Folder of its snapshot files. */
export function snapshotsFolder(prefix: string): string {
  return prefix === '' ? 'snapshots' : `${prefix}/snapshots`;
}

/** Id of the snapshot whose file this is; null when it is none of this repository. */
export function snapshotIdOf(prefix: string, storagePath: string): string | null {
  const folder = `${snapshotsFolder(prefix)}/`;
  const id = storagePath.startsWith(folder) ? storagePath.slice(folder.length) : '';
  return /^[0-9a-f]{64}$/.test(id) ? id : null;
}
