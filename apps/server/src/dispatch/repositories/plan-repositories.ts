/** Which repositories a run writes: the first gets the snapshot, the others a copy of it. */
import { AppError } from '@backupx/contracts/errors';
import { type RepositoryRow, repositoriesStore } from '../../stores/repositories.store.ts';
import { type TaskRow, tasksStore } from '../../stores/tasks.store.ts';
import type { OpenedTarget } from '../locate-artifact.ts';
import type { NodeState } from '../ports.ts';
import { type NewRepositoryDeps, ownRepository } from './new-repository.ts';
import { isReachableFrom } from './repository-place.ts';

export interface PlanRepositoriesDeps extends NewRepositoryDeps {
  /** Throws STORAGE_TARGET_NOT_FOUND. */
  readonly openTarget: (id: number) => Promise<OpenedTarget>;
}

/** Throws NOT_SUPPORTED when the repository lies on another node's disk. */
export function assertReachable(row: RepositoryRow, node: Pick<NodeState, 'id' | 'name'>): void {
  if (isReachableFrom(row, node.id)) return;
  throw new AppError('NOT_SUPPORTED', {
    what: `Writing into the repository ${row.name} from ${node.name}`,
    hint: 'It lies on the disk of another server. Choose a repository on a storage that both reach, or leave the choice to BackupX.',
  });
}

/** Empty for archives. Throws STORAGE_CONFIG when no target is switched on, REPOSITORY_NOT_FOUND, NOT_SUPPORTED. */
export async function planRepositories(
  deps: PlanRepositoriesDeps,
  task: TaskRow,
  node: NodeState,
): Promise<RepositoryRow[]> {
  if (task.backup_mode !== 'repository') return [];
  const targets = (await tasksStore.targetsOf(deps.db, [task.id])).get(task.id) ?? [];
  const usable = targets.filter((target) => target.enabled === 1).map((target) => target.storage_target_id);
  const chosen = task.repository_id === 0 ? null : await repositoriesStore.get(deps.db, task.repository_id);
  if (chosen) assertReachable(chosen, node);
  const first = chosen && usable.includes(chosen.storage_target_id) ? chosen : null;
  const others = usable.filter((id) => id !== first?.storage_target_id);
  const rows = first ? [first] : [];
  for (const id of others) rows.push(await ownRepository(deps, await deps.openTarget(id), node));
  if (rows.length === 0) {
    throw new AppError('STORAGE_CONFIG', { reason: 'the task has no storage target that is switched on' });
  }
  return rows;
}
