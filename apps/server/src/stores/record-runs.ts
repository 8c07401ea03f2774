/** SQL that restores and verifications share: runs that belong to a record, listed in the same way. */
import { AppError } from '@backupx/contracts/errors';
import type { Insertable, Kysely, Selectable } from 'kysely';
import type { RestoreRecordsTable, Tables } from '../database/tables.ts';
import { containsText } from './contains-text.ts';
import { COUNT_LIMIT } from './records.store.ts';
import { runRows } from './run-rows.ts';

type Db = Kysely<Tables>;

export interface RecordRunFilter {
  readonly q?: string | undefined;
  readonly recordId?: number | undefined;
  readonly taskId?: number | undefined;
  readonly status?: string | undefined;
}

interface Window {
  readonly before?: number | undefined;
  readonly limit: number;
  readonly offset: number;
}

/** Statements over the columns that both tables have; the same promises as `records.store`. */
export function recordRuns<T extends 'restore_records' | 'verify_records'>(
  name: T,
  notFound: 'RESTORE_RECORD_NOT_FOUND' | 'VERIFY_RECORD_NOT_FOUND',
) {
  type Row = Selectable<Tables[T]>;
  type View = Row & { node_name: string | null };
  // The query builder's types follow one table; the columns used here are the same in both.
  const table = name as 'restore_records';

  function idsQuery(db: Db, filter: RecordRunFilter) {
    let query = db.selectFrom(table).select(`${table}.id`);
    if (filter.recordId !== undefined) query = query.where('record_id', '=', filter.recordId);
    if (filter.taskId !== undefined) query = query.where('task_id', '=', filter.taskId);
    if (filter.status !== undefined) query = query.where('status', '=', filter.status);
    if (filter.q) query = query.where(containsText(`${table}.task_name`, filter.q));
    return query;
  }

  function viewQuery(db: Db) {
    const joined = db.selectFrom(table).leftJoin('nodes', 'nodes.id', `${table}.node_id`);
    return joined.selectAll(table).select('nodes.name as node_name');
  }

  async function find(db: Db, id: number): Promise<Row | undefined> {
    const row = await db.selectFrom(table).selectAll().where('id', '=', id).executeTakeFirst();
    return row as Row | undefined;
  }

  return {
    ...runRows(name),
    find,

    async insert(db: Db, values: Insertable<Tables[T]>): Promise<number> {
      const insert = db.insertInto(table).values(values as Insertable<RestoreRecordsTable>);
      return (await insert.returning('id').executeTakeFirstOrThrow()).id;
    },

    /** Throws `notFound`. */
    async get(db: Db, id: number): Promise<Row> {
      const row = await find(db, id);
      if (!row) throw new AppError(notFound);
      return row;
    },

    /** Throws `notFound`. */
    async view(db: Db, id: number): Promise<View> {
      const row = await viewQuery(db).where(`${table}.id`, '=', id).executeTakeFirst();
      if (!row) throw new AppError(notFound);
      return row as unknown as View;
    },

    /** Newest first; see `recordsStore.list`. */
    async list(db: Db, filter: RecordRunFilter, page: Window): Promise<{ items: View[]; total: number }> {
      let ids = idsQuery(db, filter).orderBy(`${table}.id`, 'desc').limit(page.limit);
      if (page.before !== undefined) ids = ids.where(`${table}.id`, '<', page.before);
      else if (page.offset > 0) ids = ids.offset(page.offset);
      const items = await viewQuery(db).where(`${table}.id`, 'in', ids).orderBy(`${table}.id`, 'desc').execute();
      const matching = idsQuery(db, filter).limit(COUNT_LIMIT + 1);
      const counted = await db
        .selectFrom(matching.as('matching'))
        .select(({ fn }) => fn.countAll<number>().as('total'))
        .executeTakeFirst();
      return { items: items as unknown as View[], total: Number(counted?.total ?? 0) };
    },
  };
}
