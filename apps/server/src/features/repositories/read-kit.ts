import { GOOD_STATUSES } from '../../stores/records.store.ts';
import { repositoriesStore } from '../../stores/repositories.store.ts';
import { readSiteSettings } from '../../stores/site-settings.ts';
import type { RepositoriesFeatureDeps } from './repositories-deps.ts';
import type { RepositoryKit } from './write-repository-kit.ts';

const MAX_TASKS = 100;

/** Opens what a recovery kit holds. Throws REPOSITORY_NOT_FOUND. */
export async function readKit(deps: RepositoriesFeatureDeps, id: number): Promise<RepositoryKit> {
  const { db } = deps;
  const row = await repositoriesStore.view(db, id);
  const newest = await db
    .selectFrom('records')
    .select(({ fn }) => ['task_id', fn.max('id').as('id')])
    .where('repository_id', '=', id)
    .where('status', 'in', GOOD_STATUSES)
    .where('checksum', '!=', '')
    .groupBy('task_id')
    .limit(MAX_TASKS)
    .execute();
  const ids = newest.map((one) => Number(one.id));
  const records =
    ids.length === 0
      ? []
      : await db
          .selectFrom('records')
          .select(['task_name', 'checksum', 'started_at'])
          .where('id', 'in', ids)
          .orderBy('task_name')
          .execute();
  const isOnDisk = row.target_type === 'local_disk';
  const { localNodeId } = deps.nodes;
  const disk = row.is_on_node_disk === 1 ? row.node_name : (await deps.nodes.get(localNodeId)).hostname;
  return {
    siteName: (await readSiteSettings(db)).siteName,
    createdAt: deps.clock.now(),
    name: row.name,
    repositoryId: row.repository_hex,
    password: repositoriesStore.openSecret(deps, row).password,
    target: await deps.openTarget(row.storage_target_id),
    prefix: row.prefix,
    onDiskOf: isOnDisk ? disk || 'the master' : null,
    newest: records.map((record) => ({
      taskName: record.task_name,
      snapshotId: record.checksum,
      at: record.started_at,
    })),
  };
}
