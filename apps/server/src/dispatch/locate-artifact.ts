/**
 * Who can reach what: pure rules about storage targets seen from nodes.
 *
 * Object storages are reachable from everywhere. A `local_disk` target is a folder, so the question is whose: on the
 * local node the master's; on a remote node the agent's own disk, or, with `masterRelay`, the master's through a relay.
 */
import type { JobTarget } from '@backupx/contracts/jobs';

/** A storage target with its settings opened. */
export interface OpenedTarget {
  readonly id: number;
  readonly name: string;
  readonly type: string;
  readonly enabled: boolean;
  readonly config: Record<string, unknown>;
}

/** One stored copy: the target it lies in and the node that wrote it. */
export interface ArtifactCopy {
  readonly target: OpenedTarget;
  readonly storagePath: string;
  /** As the writer told; undefined: judged by the target's settings of today (writers that do not tell). */
  readonly viaMaster: boolean | undefined;
  readonly writtenByLocalNode: boolean;
  readonly writerNodeId: number;
}

const FOLDER_TYPE = 'local_disk';

function isOnDisk(target: OpenedTarget): boolean {
  return target.type === FOLDER_TYPE;
}

function isRelayed(target: OpenedTarget): boolean {
  return isOnDisk(target) && target.config.masterRelay === true;
}

function jobTarget(target: OpenedTarget, viaMaster: boolean): JobTarget {
  return { id: target.id, name: target.name, type: target.type, config: target.config, viaMaster };
}

/** The target as the node that writes a backup sees it. */
export function targetForWriter(target: OpenedTarget, isLocalNode: boolean): JobTarget {
  return jobTarget(target, !isLocalNode && isRelayed(target));
}

/** True when the copy lies where the master itself can open it. */
export function isReachableFromMaster(copy: ArtifactCopy): boolean {
  return !isOnDisk(copy.target) || copy.writtenByLocalNode || (copy.viaMaster ?? isRelayed(copy.target));
}

/** The copy's target as a reading node sees it; null when it lies on another node's own disk. */
export function targetForReader(copy: ArtifactCopy, reader: { id: number; isLocal: boolean }): JobTarget | null {
  if (!isOnDisk(copy.target)) return jobTarget(copy.target, false);
  if (isReachableFromMaster(copy)) return jobTarget(copy.target, !reader.isLocal);
  return reader.id === copy.writerNodeId ? jobTarget(copy.target, false) : null;
}
