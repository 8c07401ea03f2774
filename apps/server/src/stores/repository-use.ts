/** What is counted about repositories for lists, in a few statements for any number of them. */
import type { Kysely } from 'kysely';
import type { Tables } from '../database/tables.ts';
import type { RepositoryUse } from './repositories.store.ts';

type Db = Kysely<Tables>;

interface Counted {
  readonly repository_id: number;
  readonly total: number;
}

function byRepository(rows: readonly Counted[]): ReadonlyMap<number, number> {
  return new Map(rows.map((row) => [row.repository_id, Number(row.total)]));
}

/** Answers a function from a repository's id to its numbers. `ids` empty: nothing is asked. */
export async function repositoryUse(db: Db, ids: readonly number[]): Promise<(id: number) => RepositoryUse> {
  const records = byRepository(await (ids.length > 0 ? recordCountsQuery(db, ids).execute() : []));
  const tasks = byRepository(await (ids.length > 0 ? countTasks(db, ids) : []));
  const packs = byRepository(await (ids.length > 0 ? countPacks(db, ids) : []));
  const leases = byRepository(await (ids.length > 0 ? openLeaseCountsQuery(db, ids).execute() : []));
  const running = await (ids.length > 0 ? findRunning(db, ids) : []);
  const runningIds = new Map(running.map((row) => [row.repository_id, row.id]));
  return (id) => ({
    recordCount: records.get(id) ?? 0,
    taskCount: tasks.get(id) ?? 0,
    condemnedPacks: packs.get(id) ?? 0,
    activeLeases: leases.get(id) ?? 0,
    runningMaintenanceId: runningIds.get(id) ?? null,
  });
}

/** Records with a snapshot in it, copies included. Exported for the test that looks at its query plan. */
export function recordCountsQuery(db: Db, ids: readonly number[]) {
  return db
    .selectFrom('repository_leases')
    .innerJoin('records', 'records.id', 'repository_leases.owner_id')
    .select(({ fn }) => ['repository_leases.repository_id', fn.countAll<number>().as('total')])
    .where('repository_leases.repository_id', 'in', ids)
    .where('repository_leases.owner', '=', 'record')
    .where('records.storage_path', '!=', '')
    .groupBy('repository_leases.repository_id');
}

/** Tasks that name it, and tasks that use it as the own one of their node on their first target. */
async function countTasks(db: Db, ids: readonly number[]): Promise<Counted[]> {
  const named = await db
    .selectFrom('tasks')
    .select(({ fn }) => ['repository_id', fn.countAll<number>().as('total')])
    .where('repository_id', 'in', ids)
    .where('deleted_at', 'is', null)
    .groupBy('repository_id')
    .execute();
  const own = await db
    .selectFrom('repositories')
    .innerJoin('task_targets', 'task_targets.storage_target_id', 'repositories.storage_target_id')
    .innerJoin('tasks', (join) =>
      join.onRef('tasks.id', '=', 'task_targets.task_id').onRef('tasks.node_id', '=', 'repositories.node_id'),
    )
    .select(({ fn }) => ['repositories.id as repository_id', fn.countAll<number>().as('total')])
    .where('repositories.id', 'in', ids)
    .where('repositories.is_own', '=', 1)
    .where('tasks.backup_mode', '=', 'repository')
    .where('tasks.deleted_at', 'is', null)
    .whereRef('tasks.repository_id', '!=', 'repositories.id')
    .groupBy('repositories.id')
    .execute();
  const sums = new Map<number, number>();
  for (const row of [...named, ...own]) {
    sums.set(row.repository_id, (sums.get(row.repository_id) ?? 0) + Number(row.total));
  }
  return [...sums].map(([repository_id, total]) => ({ repository_id, total }));
}

function countPacks(db: Db, ids: readonly number[]): Promise<Counted[]> {
  return db
    .selectFrom('condemned_packs')
    .select(({ fn }) => ['repository_id', fn.countAll<number>().as('total')])
    .where('repository_id', 'in', ids)
    .groupBy('repository_id')
    .execute();
}

/** Exported for the test that looks at its query plan. */
export function openLeaseCountsQuery(db: Db, ids: readonly number[]) {
  return db
    .selectFrom('repository_leases')
    .select(({ fn }) => ['repository_id', fn.countAll<number>().as('total')])
    .where('repository_id', 'in', ids)
    .where('ended_at', 'is', null)
    .groupBy('repository_id');
}

function findRunning(db: Db, ids: readonly number[]) {
  return db
    .selectFrom('maintenance_records')
    .select(['repository_id', 'id'])
    .where('repository_id', 'in', ids)
    .where('status', '=', 'running')
    .execute();
}
