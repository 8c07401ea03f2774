/** SQL of restore records; the same promises as `records.store`. */
import type { Kysely, Selectable, Updateable } from 'kysely';
import type { RestoreRecordsTable, Tables } from '../database/tables.ts';
import { recordRuns } from './record-runs.ts';

type Db = Kysely<Tables>;
export type RestoreRecordRow = Selectable<RestoreRecordsTable>;
export type RestoreRecordView = RestoreRecordRow & { node_name: string | null };

export const restoreRecordsStore = {
  ...recordRuns('restore_records', 'RESTORE_RECORD_NOT_FOUND'),

  async update(db: Db, id: number, values: Updateable<RestoreRecordsTable>): Promise<void> {
    await db.updateTable('restore_records').set(values).where('id', '=', id).execute();
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
