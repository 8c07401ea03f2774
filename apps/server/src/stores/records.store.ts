/**
 * SQL of backup records. A record's status changes through `finish` only: one conditional UPDATE, so two ends of the
 * same run cannot both win. Lists page by id (cursor), which stays fast on tables of any size.
 */
import { AppError } from '@backupx/contracts/errors';
import type { RecordStatus } from '@backupx/contracts/record-status';
import type { Insertable, Kysely, Selectable, Updateable } from 'kysely';
import type { RecordsTable, Tables } from '../database/tables.ts';
import { containsText } from './contains-text.ts';
import { runRows } from './run-rows.ts';

type Db = Kysely<Tables>;
export type RecordRow = Selectable<RecordsTable>;
/** A record with the names a reader wants beside the ids. */
export type RecordView = RecordRow & { node_name: string | null; target_name: string | null };

/** `counts` above this number are not exact: counting a million rows for a page header is not worth it. */
export const COUNT_LIMIT = 10_000;
export const GOOD_STATUSES: readonly RecordStatus[] = ['success', 'warning'];

export interface RecordFilter {
  readonly q?: string | undefined;
  readonly taskId?: number | undefined;
  readonly nodeId?: number | undefined;
  readonly status?: string | undefined;
  readonly restorable?: boolean | undefined;
  readonly dateFrom?: string | undefined;
  readonly dateTo?: string | undefined;
}

/** Columns that a list does not show and that can be large. */
type HeavyColumn = 'problems' | 'source_sealed';
const lightColumns = [
  'id',
  'task_id',
  'task_name',
  'task_type',
  'node_id',
  'status',
  'trigger',
  'backup_kind',
  'compression',
  'encrypted',
  'key_prefix',
  'base_name',
  'file_name',
  'file_size',
  'checksum',
  'storage_path',
  'contents_path',
  'storage_target_id',
  'repository_id',
  'snapshot',
  'targets',
  'source_bytes',
  'item_count',
  'problem_count',
  'error_message',
  'error_code',
  'error_params',
  'locked',
  'cancel_requested',
  'progress',
  'last_activity_at',
  'verified_status',
  'verified_mode',
  'verified_at',
  'slot_at',
  'log_sequence',
  'started_at',
  'completed_at',
] as const satisfies readonly Exclude<keyof RecordsTable, HeavyColumn>[];
export type RecordListRow = Omit<RecordView, HeavyColumn>;

function viewQuery(db: Db) {
  return db
    .selectFrom('records')
    .leftJoin('nodes', 'nodes.id', 'records.node_id')
    .leftJoin('storage_targets', 'storage_targets.id', 'records.storage_target_id')
    .select(['nodes.name as node_name', 'storage_targets.name as target_name']);
}

function lightView(db: Db) {
  return viewQuery(db).select(lightColumns.map((column) => `records.${column}` as const));
}

/** Exported for the test that looks at the query plans. */
export function recordIdsQuery(db: Db, filter: RecordFilter) {
  let query = db.selectFrom('records').select('records.id');
  if (filter.taskId !== undefined) query = query.where('records.task_id', '=', filter.taskId);
  if (filter.nodeId !== undefined) query = query.where('records.node_id', '=', filter.nodeId);
  if (filter.status !== undefined) query = query.where('records.status', '=', filter.status);
  if (filter.restorable) query = query.where('records.status', 'in', GOOD_STATUSES);
  if (filter.restorable === false) query = query.where('records.status', 'not in', GOOD_STATUSES);
  if (filter.dateFrom !== undefined) query = query.where('records.started_at', '>=', filter.dateFrom);
  if (filter.dateTo !== undefined) query = query.where('records.started_at', '<=', filter.dateTo);
  if (filter.q) {
    // By name of the task: a scan of the few tasks instead of one over all records.
    const named = db.selectFrom('tasks').select('tasks.id').where(containsText('tasks.name', filter.q));
    query = query.where('records.task_id', 'in', named);
  }
  return query;
}

/**
 * Id of the newest (good) record of each task. A lookup per task that stops at its first hit: grouping would read every
 * record there is. Exported for the test that looks at the query plans.
 */
export function newestIdsQuery(db: Db, taskIds: readonly number[], onlyGood: boolean) {
  return db
    .selectFrom('tasks')
    .where('tasks.id', 'in', taskIds)
    .select((eb) => {
      // What was there before a restore is not what the task backs up.
      let one = eb.selectFrom('records as r').select('r.id').whereRef('r.task_id', '=', 'tasks.id');
      one = one.where('r.trigger', '<>', 'safety');
      if (onlyGood) one = one.where('r.status', 'in', GOOD_STATUSES);
      return one.orderBy('r.id', 'desc').limit(1).as('id');
    });
}

/** The same for the newest record of each task that was ever verified. Exported for the same test. */
export function newestVerifiedIdsQuery(db: Db, taskIds: readonly number[]) {
  return db
    .selectFrom('tasks')
    .where('tasks.id', 'in', taskIds)
    .select((eb) => {
      const verified = eb.selectFrom('records as r').select('r.id').whereRef('r.task_id', '=', 'tasks.id');
      return verified
        .where('r.verified_at', 'is not', null)
        .where('r.trigger', '<>', 'safety')
        .orderBy('r.id', 'desc')
        .limit(1)
        .as('id');
    });
}

export const recordsStore = {
  ...runRows('records'),

  async insert(db: Db, values: Insertable<RecordsTable>): Promise<number> {
    const row = await db.insertInto('records').values(values).returning('id').executeTakeFirstOrThrow();
    return row.id;
  },

  async update(db: Db, id: number, values: Updateable<RecordsTable>): Promise<void> {
    await db.updateTable('records').set(values).where('id', '=', id).execute();
  },

  /** Throws BACKUP_RECORD_NOT_FOUND. */
  async get(db: Db, id: number): Promise<RecordRow> {
    const row = await recordsStore.find(db, id);
    if (!row) throw new AppError('BACKUP_RECORD_NOT_FOUND');
    return row;
  },

  async find(db: Db, id: number): Promise<RecordRow | undefined> {
    return await db.selectFrom('records').selectAll().where('id', '=', id).executeTakeFirst();
  },

  /** Throws BACKUP_RECORD_NOT_FOUND. */
  async view(db: Db, id: number): Promise<RecordView> {
    const row = await viewQuery(db).selectAll('records').where('records.id', '=', id).executeTakeFirst();
    if (!row) throw new AppError('BACKUP_RECORD_NOT_FOUND');
    return row;
  },

  /** Newest first. `before` (an id) continues a list; `offset` serves numbered pages. */
  async list(
    db: Db,
    filter: RecordFilter,
    page: { before?: number | undefined; limit: number; offset: number },
  ): Promise<{ items: RecordListRow[]; total: number }> {
    let ids = recordIdsQuery(db, filter).orderBy('records.id', 'desc').limit(page.limit);
    if (page.before !== undefined) ids = ids.where('records.id', '<', page.before);
    else if (page.offset > 0) ids = ids.offset(page.offset);
    const items = await lightView(db).where('records.id', 'in', ids).orderBy('records.id', 'desc').execute();
    const counted = await db
      .selectFrom(
        recordIdsQuery(db, filter)
          .limit(COUNT_LIMIT + 1)
          .as('matching'),
      )
      .select(({ fn }) => fn.countAll<number>().as('total'))
      .executeTakeFirst();
    return { items, total: Number(counted?.total ?? 0) };
  },

  /** Id of the run that holds the task, if one does. */
  async runningIdOfTask(db: Db, taskId: number): Promise<number | undefined> {
    const row = await db
      .selectFrom('records')
      .select('id')
      .where('task_id', '=', taskId)
      .where('status', '=', 'running')
      .executeTakeFirst();
    return row?.id;
  },

  async remove(db: Db, id: number): Promise<boolean> {
    const done = await db.deleteFrom('records').where('id', '=', id).where('locked', '=', 0).executeTakeFirst();
    return done.numDeletedRows > 0n;
  },

  /** What retention looks at: every ended record of a task, newest first, without the heavy columns. */
  async endedOfTask(db: Db, taskId: number) {
    return await db
      .selectFrom('records')
      .select(['id', 'status', 'started_at', 'locked', 'storage_path', 'trigger'])
      .where('task_id', '=', taskId)
      .where('status', '<>', 'running')
      .orderBy('id', 'desc')
      .execute();
  },

  /** The newest record of each task and the newest good one; two statements for any number of tasks. */
  async lastRuns(db: Db, taskIds: readonly number[]) {
    const byTask = (rows: readonly RecordListRow[]) => new Map(rows.map((row) => [row.task_id, row]));
    if (taskIds.length === 0) return { last: byTask([]), good: byTask([]), verified: byTask([]) };
    const last = await lightView(db)
      .where('records.id', 'in', newestIdsQuery(db, taskIds, false))
      .execute();
    const ids = newestIdsQuery(db, taskIds, true).unionAll(newestVerifiedIdsQuery(db, taskIds));
    // Only good ones are verified, so the newer of the two is the newest good one.
    const good = await lightView(db).where('records.id', 'in', ids).orderBy('records.id').execute();
    return { last: byTask(last), good: byTask(good), verified: byTask(good.filter((row) => row.verified_at !== null)) };
  },

  async runningViews(db: Db, limit: number): Promise<RecordListRow[]> {
    return await lightView(db)
      .where('records.status', '=', 'running')
      .orderBy('records.id', 'desc')
      .limit(limit)
      .execute();
  },

  async failuresSince(db: Db, since: string, limit: number): Promise<RecordListRow[]> {
    return await lightView(db)
      .where('records.status', 'in', ['failed', 'interrupted'])
      .where('records.started_at', '>=', since)
      .orderBy('records.id', 'desc')
      .limit(limit)
      .execute();
  },

  /** Runs per task, UTC day and status since a time; the raw material of the 30-day strip. */
  async runsPerDay(db: Db, since: string) {
    return await db
      .selectFrom('records')
      .select(({ fn, val }) => [
        'task_id',
        fn<string>('substr', ['started_at', val(1), val(10)]).as('day'),
        'status',
        fn.countAll<number>().as('runs'),
      ])
      .where('started_at', '>=', since)
      .where('trigger', '<>', 'safety')
      .groupBy(['task_id', 'day', 'status'])
      .execute();
  },

  async totals(db: Db) {
    const row = await db
      .selectFrom('records')
      .select(({ fn }) => fn.countAll<number>().as('records'))
      .executeTakeFirst();
    const last = await db
      .selectFrom('records')
      .select('completed_at')
      .where('completed_at', 'is not', null)
      .orderBy('id', 'desc')
      .limit(1)
      .executeTakeFirst();
    const good = await db
      .selectFrom('records')
      .select(({ fn }) => [fn.countAll<number>().as('records'), fn.sum<number>('file_size').as('bytes')])
      .where('status', 'in', GOOD_STATUSES)
      .executeTakeFirst();
    return {
      records: Number(row?.records ?? 0),
      lastCompletedAt: last?.completed_at ?? null,
      goodRecords: Number(good?.records ?? 0),
      goodBytes: Number(good?.bytes ?? 0),
    };
  },

  async countRunning(db: Db): Promise<number> {
    const row = await db
      .selectFrom('records')
      .select(({ fn }) => fn.countAll<number>().as('total'))
      .where('status', '=', 'running')
      .executeTakeFirst();
    return Number(row?.total ?? 0);
  },
};
