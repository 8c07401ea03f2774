import type { Repository, Task } from '../api/types.ts';

/** Of the repositories, the one that a server uses on a storage without naming it: its oldest that was not taken in. */
export function ownRepository(
  repositories: readonly Repository[],
  nodeId: number,
  storageTargetId: number,
): Repository | undefined {
  return repositories
    .filter((one) => one.nodeId === nodeId && one.storageTargetId === storageTargetId && !one.isAdopted)
    .reduce<Repository | undefined>((oldest, one) => (oldest && oldest.id < one.id ? oldest : one), undefined);
}

/** Where the snapshots of a task go first; undefined: its first run makes the repository. */
export function repositoryOfTask(repositories: readonly Repository[], task: Task): Repository | undefined {
  if (task.repositoryId > 0) return repositories.find((one) => one.id === task.repositoryId);
  return ownRepository(repositories, task.nodeId, task.storageTargetIds[0] ?? 0);
}
