/** SQL of verifications; the same promises as `records.store`. One runs per record at a time. */
import { AppError } from '@backupx/contracts/errors';
import type { Insertable, Kysely, Selectable } from 'kysely';
import type { Tables, VerifyRecordsTable } from '../database/tables.ts';
import { containsText } from './contains-text.ts';
import { COUNT_LIMIT } from './records.store.ts';
import { runRows } from './run-rows.ts';

type Db = Kysely<Tables>;
export type VerifyRecordRow = Selectable<VerifyRecordsTable>;
export type VerifyRecordView = VerifyRecordRow & { node_name: string | null };

export interface VerifyFilter {
  readonly q?: string | undefined;
  readonly recordId?: number | undefined;
  readonly taskId?: number | undefined;
  readonly status?: string | undefined;
}

function idsQuery(db: Db, filter: VerifyFilter) {
  let query = db.selectFrom('verify_records').select('verify_records.id');
  if (filter.recordId !== undefined) query = query.where('record_id', '=', filter.recordId);
  if (filter.taskId !== undefined) query = query.where('task_id', '=', filter.taskId);
  if (filter.status !== undefined) query = query.where('status', '=', filter.status);
  if (filter.q) query = query.where(containsText('verify_records.task_name', filter.q));
  return query;
}

function viewQuery(db: Db) {
  return db
    .selectFrom('verify_records')
    .leftJoin('nodes', 'nodes.id', 'verify_records.node_id')
    .selectAll('verify_records')
    .select('nodes.name as node_name');
}

export const verifyRecordsStore = {
  ...runRows('verify_records'),

  async insert(db: Db, values: Insertable<VerifyRecordsTable>): Promise<number> {
    const row = await db.insertInto('verify_records').values(values).returning('id').executeTakeFirstOrThrow();
    return row.id;
  },

  async find(db: Db, id: number): Promise<VerifyRecordRow | undefined> {
    return await db.selectFrom('verify_records').selectAll().where('id', '=', id).executeTakeFirst();
  },

  /** Throws VERIFY_RECORD_NOT_FOUND. */
  async get(db: Db, id: number): Promise<VerifyRecordRow> {
    const row = await verifyRecordsStore.find(db, id);
    if (!row) throw new AppError('VERIFY_RECORD_NOT_FOUND');
    return row;
  },

  /** Throws VERIFY_RECORD_NOT_FOUND. */
  async view(db: Db, id: number): Promise<VerifyRecordView> {
    const row = await viewQuery(db).where('verify_records.id', '=', id).executeTakeFirst();
    if (!row) throw new AppError('VERIFY_RECORD_NOT_FOUND');
    return row;
  },

  /** The verification that reads this record's artifact right now. */
  async runningIdOfRecord(db: Db, recordId: number): Promise<number | undefined> {
    const row = await db
      .selectFrom('verify_records')
      .select('id')
      .where('record_id', '=', recordId)
      .where('status', '=', 'running')
      .executeTakeFirst();
    return row?.id;
  },

  /** The newest of a task that still exists which failed, and was not followed by one that passed. */
  async lastFailed(db: Db) {
    return await db
      .selectFrom('verify_records as failed')
      .innerJoin('tasks', 'tasks.id', 'failed.task_id')
      .select(['failed.id', 'failed.task_id', 'failed.task_name', 'failed.started_at', 'failed.completed_at'])
      .where('failed.status', '=', 'failed')
      .where('tasks.deleted_at', 'is', null)
      .where(({ not, exists, selectFrom }) =>
        not(
          exists(
            selectFrom('verify_records as later')
              .select('later.id')
              .whereRef('later.task_id', '=', 'failed.task_id')
              .whereRef('later.id', '>', 'failed.id')
              .where('later.status', '=', 'success'),
          ),
        ),
      )
      .orderBy('failed.id', 'desc')
      .limit(1)
      .executeTakeFirst();
  },

  /** Newest first; see `recordsStore.list`. */
  async list(
    db: Db,
    filter: VerifyFilter,
    page: { before?: number | undefined; limit: number; offset: number },
  ): Promise<{ items: VerifyRecordView[]; total: number }> {
    let ids = idsQuery(db, filter).orderBy('verify_records.id', 'desc').limit(page.limit);
    if (page.before !== undefined) ids = ids.where('verify_records.id', '<', page.before);
    else if (page.offset > 0) ids = ids.offset(page.offset);
    const items = await viewQuery(db)
      .where('verify_records.id', 'in', ids)
      .orderBy('verify_records.id', 'desc')
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
};
