/** SQL of verifications; the same promises as `records.store`. One runs per record at a time. */
import type { Kysely, Selectable } from 'kysely';
import type { Tables, VerifyRecordsTable } from '../database/tables.ts';
import { recordRuns } from './record-runs.ts';

type Db = Kysely<Tables>;
export type VerifyRecordRow = Selectable<VerifyRecordsTable>;
export type VerifyRecordView = VerifyRecordRow & { node_name: string | null };

export const verifyRecordsStore = {
  ...recordRuns('verify_records', 'VERIFY_RECORD_NOT_FOUND'),

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
};
