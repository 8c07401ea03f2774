/**
 * SQL of tasks and the targets they write to. Every method takes the database or an open transaction.
 * `next_run_at` is the scheduler's queue: a row is claimed by moving it on, so two claims of one slot cannot both win.
 */
import { AppError } from '@backupx/contracts/errors';
import type { Insertable, Kysely, Selectable, SelectQueryBuilder, Updateable } from 'kysely';
import type { Tables, TasksTable } from '../database/tables.ts';
import { containsText } from './contains-text.ts';

type Db = Kysely<Tables>;
export type TaskRow = Selectable<TasksTable>;

export interface TaskTargetRow {
  readonly task_id: number;
  readonly storage_target_id: number;
  readonly target_name: string;
  readonly enabled: number;
}

export interface TaskFilter {
  readonly q?: string | undefined;
  readonly nodeId?: number | undefined;
  readonly tag?: string | undefined;
  readonly enabled?: boolean | undefined;
}

const SORTS: Record<
  string,
  readonly [column: 'name' | 'id' | 'created_at' | 'next_run_at', direction: 'asc' | 'desc']
> = {
  name: ['name', 'asc'],
  '-name': ['name', 'desc'],
  createdAt: ['created_at', 'asc'],
  '-createdAt': ['created_at', 'desc'],
  nextRunAt: ['next_run_at', 'asc'],
};

function matching<O>(query: SelectQueryBuilder<Tables, 'tasks', O>, filter: TaskFilter) {
  let result = query.where('tasks.deleted_at', 'is', null);
  if (filter.nodeId !== undefined) result = result.where('tasks.node_id', '=', filter.nodeId);
  if (filter.enabled !== undefined) result = result.where('tasks.enabled', '=', filter.enabled ? 1 : 0);
  if (filter.q) result = result.where(containsText('tasks.name', filter.q));
  // Tags are a JSON array of strings; quotes make the match exact.
  if (filter.tag) result = result.where(containsText('tasks.tags', JSON.stringify(filter.tag)));
  return result;
}

export const tasksStore = {
  /** Tasks whose time to be verified has come. */
  async dueVerifications(db: Db, now: string): Promise<TaskRow[]> {
    return await db
      .selectFrom('tasks')
      .selectAll()
      .where('next_verify_at', '<=', now)
      .where('verify_enabled', '=', 1)
      .where('enabled', '=', 1)
      .where('deleted_at', 'is', null)
      .execute();
  },

  async insert(db: Db, values: Insertable<TasksTable>, targetIds: readonly number[]): Promise<number> {
    const row = await db.insertInto('tasks').values(values).returning('id').executeTakeFirstOrThrow();
    await tasksStore.replaceTargets(db, row.id, targetIds);
    return row.id;
  },

  async update(db: Db, id: number, values: Updateable<TasksTable>): Promise<boolean> {
    const done = await db
      .updateTable('tasks')
      .set(values)
      .where('id', '=', id)
      .where('deleted_at', 'is', null)
      .executeTakeFirst();
    return done.numUpdatedRows > 0n;
  },

  async replaceTargets(db: Db, taskId: number, targetIds: readonly number[]): Promise<void> {
    await db.deleteFrom('task_targets').where('task_id', '=', taskId).execute();
    if (targetIds.length === 0) return;
    const rows = targetIds.map((id, position) => ({ task_id: taskId, storage_target_id: id, position }));
    await db.insertInto('task_targets').values(rows).execute();
  },

  /** A living task; throws BACKUP_TASK_NOT_FOUND. */
  async get(db: Db, id: number): Promise<TaskRow> {
    const row = await db
      .selectFrom('tasks')
      .selectAll()
      .where('id', '=', id)
      .where('deleted_at', 'is', null)
      .executeTakeFirst();
    if (!row) throw new AppError('BACKUP_TASK_NOT_FOUND');
    return row;
  },

  /** Deleted ones too: records outlive their task. */
  async find(db: Db, id: number): Promise<TaskRow | undefined> {
    return await db.selectFrom('tasks').selectAll().where('id', '=', id).executeTakeFirst();
  },

  async idByName(db: Db, name: string): Promise<number | undefined> {
    const row = await db
      .selectFrom('tasks')
      .select('id')
      .where('name', '=', name)
      .where('deleted_at', 'is', null)
      .executeTakeFirst();
    return row?.id;
  },

  async list(db: Db, filter: TaskFilter, page: { sort?: string | undefined; limit: number; offset: number }) {
    const [column, direction] = SORTS[page.sort ?? ''] ?? ['id', 'asc'];
    const items = await matching(db.selectFrom('tasks').selectAll('tasks'), filter)
      .orderBy(`tasks.${column}`, direction)
      .orderBy('tasks.id', 'asc')
      .limit(page.limit)
      .offset(page.offset)
      .execute();
    const counted = await matching(
      db.selectFrom('tasks').select(({ fn }) => fn.countAll<number>().as('total')),
      filter,
    ).executeTakeFirst();
    return { items, total: Number(counted?.total ?? 0) };
  },

  async allLiving(db: Db): Promise<TaskRow[]> {
    return await db.selectFrom('tasks').selectAll().where('deleted_at', 'is', null).orderBy('id').execute();
  },

  /** Targets in order of position, the primary first; one statement for any number of tasks. */
  async targetsOf(db: Db, taskIds: readonly number[]): Promise<Map<number, TaskTargetRow[]>> {
    const byTask = new Map<number, TaskTargetRow[]>(taskIds.map((id) => [id, []]));
    if (taskIds.length === 0) return byTask;
    const rows = await db
      .selectFrom('task_targets')
      .innerJoin('storage_targets', 'storage_targets.id', 'task_targets.storage_target_id')
      .select([
        'task_targets.task_id',
        'task_targets.storage_target_id',
        'storage_targets.name as target_name',
        'storage_targets.enabled',
      ])
      .where('task_targets.task_id', 'in', taskIds)
      .orderBy('task_targets.task_id')
      .orderBy('task_targets.position')
      .execute();
    for (const row of rows) byTask.get(row.task_id)?.push(row);
    return byTask;
  },

  /** Tasks whose slot has come, the most overdue first. */
  async due(db: Db, now: string, limit: number): Promise<TaskRow[]> {
    return await dueQuery(db, now, limit).execute();
  },

  /** Moves a due task on to its next slot; false when another claim was faster or the task was changed. */
  async claimSlot(db: Db, claim: { taskId: number; slotAt: string; nextRunAt: string | null }): Promise<boolean> {
    const done = await db
      .updateTable('tasks')
      .set({ next_run_at: claim.nextRunAt, last_slot_at: claim.slotAt })
      .where('id', '=', claim.taskId)
      .where('next_run_at', '=', claim.slotAt)
      .where('enabled', '=', 1)
      .where('deleted_at', 'is', null)
      .executeTakeFirst();
    return done.numUpdatedRows > 0n;
  },

  /** Keeps the row, so that records keep a name to show; targets are let go. */
  async softDelete(db: Db, id: number, now: string): Promise<void> {
    await db
      .updateTable('tasks')
      .set({ deleted_at: now, enabled: 0, next_run_at: null, updated_at: now })
      .where('id', '=', id)
      .execute();
  },

  async tags(db: Db): Promise<string[]> {
    const rows = await db
      .selectFrom('tasks')
      .select('tags')
      .distinct()
      .where('deleted_at', 'is', null)
      .where('tags', '<>', '[]')
      .execute();
    const tags = new Set(rows.flatMap((row) => JSON.parse(row.tags) as string[]));
    return [...tags].sort((a, b) => a.localeCompare(b));
  },
};

/** Exported for the test that looks at its query plan. */
export function dueQuery(db: Db, now: string, limit: number) {
  return db
    .selectFrom('tasks')
    .selectAll()
    .where('next_run_at', 'is not', null)
    .where('next_run_at', '<=', now)
    .where('enabled', '=', 1)
    .where('deleted_at', 'is', null)
    .orderBy('next_run_at')
    .limit(limit);
}
