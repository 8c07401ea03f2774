/** SQL of restore records; the same promises as `records.store`. */
import { AppError } from '@backupx/contracts/errors';
import type { Insertable, Kysely, Selectable, Updateable } from 'kysely';
import type { RestoreRecordsTable, Tables } from '../database/tables.ts';
import { containsText } from './contains-text.ts';
import { COUNT_LIMIT } from './records.store.ts';
import { runRows } from './run-rows.ts';

type Db = Kysely<Tables>;
export type RestoreRecordRow = Selectable<RestoreRecordsTable>;
export type RestoreRecordView = RestoreRecordRow & { node_name: string | null };

export interface RestoreFilter {
  readonly q?: string | undefined;
  readonly recordId?: number | undefined;
  readonly taskId?: number | undefined;
  readonly status?: string | undefined;
}

function idsQuery(db: Db, filter: RestoreFilter) {
  let query = db.selectFrom('restore_records').select('restore_records.id');
  if (filter.recordId !== undefined) query = query.where('record_id', '=', filter.recordId);
  if (filter.taskId !== undefined) query = query.where('task_id', '=', filter.taskId);
  if (filter.status !== undefined) query = query.where('status', '=', filter.status);
  if (filter.q) query = query.where(containsText('restore_records.task_name', filter.q));
  return query;
}

function viewQuery(db: Db) {
  return db
    .selectFrom('restore_records')
    .leftJoin('nodes', 'nodes.id', 'restore_records.node_id')
    .selectAll('restore_records')
    .select('nodes.name as node_name');
}

export const restoreRecordsStore = {
  ...runRows('restore_records'),

  async insert(db: Db, values: Insertable<RestoreRecordsTable>): Promise<number> {
    const row = await db.insertInto('restore_records').values(values).returning('id').executeTakeFirstOrThrow();
    return row.id;
  },

  async update(db: Db, id: number, values: Updateable<RestoreRecordsTable>): Promise<void> {
    await db.updateTable('restore_records').set(values).where('id', '=', id).execute();
  },

  /** Throws RESTORE_RECORD_NOT_FOUND. */
  async get(db: Db, id: number): Promise<RestoreRecordRow> {
    const row = await restoreRecordsStore.find(db, id);
    if (!row) throw new AppError('RESTORE_RECORD_NOT_FOUND');
    return row;
  },

  async find(db: Db, id: number): Promise<RestoreRecordRow | undefined> {
    return await db.selectFrom('restore_records').selectAll().where('id', '=', id).executeTakeFirst();
  },

  /** Throws RESTORE_RECORD_NOT_FOUND. */
  async view(db: Db, id: number): Promise<RestoreRecordView> {
    const row = await viewQuery(db).where('restore_records.id', '=', id).executeTakeFirst();
    if (!row) throw new AppError('RESTORE_RECORD_NOT_FOUND');
    return row;
  },

  /** Newest first; see `recordsStore.list`. */
  async list(
    db: Db,
    filter: RestoreFilter,
    page: { before?: number | undefined; limit: number; offset: number },
  ): Promise<{ items: RestoreRecordView[]; total: number }> {
    let ids = idsQuery(db, filter).orderBy('restore_records.id', 'desc').limit(page.limit);
    if (page.before !== undefined) ids = ids.where('restore_records.id', '<', page.before);
    else if (page.offset > 0) ids = ids.offset(page.offset);
    const items = await viewQuery(db)
      .where('restore_records.id', 'in', ids)
      .orderBy('restore_records.id', 'desc')
      .execute();
    const counted = await db
      .selectFrom(
        idsQuery(db, filter)
          .limit(COUNT_LIMIT + 1)
          .as('matching'),
      )
      .select(({ fn }) => fn.countAll<number>().as('total'))
      .executeTakeFirst();
    return { items, total: Number(counted?.total ?? 0) };
  },

  /** Without those that wait for a backup: nobody is at them. */
  async runningIdsOfNode(db: Db, nodeId: number): Promise<number[]> {
    const query = db.selectFrom('restore_records').select('id').where('status', '=', 'running');
    const rows = await query.where('node_id', '=', nodeId).where('waits_for_safety', '=', 0).execute();
    return rows.map((row) => row.id);
  },

  /** The restore that this backup was made for. */
  async ofSafetyRecord(db: Db, recordId: number): Promise<RestoreRecordRow | undefined> {
    const query = db.selectFrom('restore_records').selectAll().where('safety_record_id', '=', recordId);
    return await query.executeTakeFirst();
  },

  /** Lets a waiting restore begin; answers false when it does not wait (any more). */
  async release(db: Db, id: number): Promise<boolean> {
    const done = await db
      .updateTable('restore_records')
      .set({ waits_for_safety: 0 })
      .where('id', '=', id)
      .where('status', '=', 'running')
      .where('waits_for_safety', '=', 1)
      .executeTakeFirst();
    return done.numUpdatedRows > 0n;
  },

  /** How many restores read this record's artifact right now. */
  async countRunningOfRecord(db: Db, recordId: number): Promise<number> {
    const row = await db
      .selectFrom('restore_records')
      .select(({ fn }) => fn.countAll<number>().as('total'))
      .where('record_id', '=', recordId)
      .where('status', '=', 'running')
      .executeTakeFirst();
    return Number(row?.total ?? 0);
  },
};
