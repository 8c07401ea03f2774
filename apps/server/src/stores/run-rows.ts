/** What records of backups, of restores and of maintenance have in common: they run, tell news, and end exactly once. */
import type { RecordStatus } from '@backupx/contracts/record-status';
import type { Kysely, Updateable } from 'kysely';
import type { RecordsTable, Tables } from '../database/tables.ts';

type Db = Kysely<Tables>;

/** What a run is noted to have said. */
export interface RunActivity {
  readonly at: string;
  /** JSON; null: no news. */
  readonly progress: string | null;
  /** Number of the last log piece an agent sent; 0: none. Written with the text, so a repeated piece is recognised. */
  readonly logSequence: number;
}

/** Statements over the columns that these tables share. */
export function runRows<T extends 'records' | 'restore_records' | 'maintenance_records' | 'verify_records'>(name: T) {
  // The query builder's types follow one table; the columns used here are the same in all.
  const table = name as 'records';
  return {
    async runningIdsOfNode(db: Db, nodeId: number): Promise<number[]> {
      const query = db.selectFrom(table).select('id').where('status', '=', 'running').where('node_id', '=', nodeId);
      return (await query.execute()).map((row) => row.id);
    },

    /** Ends a run if it is still in one of the states `from`; answers whether it was. */
    async finish(
      db: Db,
      id: number,
      from: readonly RecordStatus[],
      values: Updateable<Tables[T]> & { status: RecordStatus },
    ): Promise<boolean> {
      const done = await db
        .updateTable(table)
        .set({ ...(values as Updateable<RecordsTable>), progress: '' })
        .where('id', '=', id)
        .where('status', 'in', from)
        .executeTakeFirst();
      return done.numUpdatedRows > 0n;
    },

    /** News of a running record; a late one changes nothing. */
    async noteActivity(db: Db, id: number, news: RunActivity): Promise<void> {
      await db
        .updateTable(table)
        .set({
          last_activity_at: news.at,
          ...(news.progress === null ? {} : { progress: news.progress }),
          ...(news.logSequence === 0 ? {} : { log_sequence: news.logSequence }),
        })
        .where('id', '=', id)
        .where('status', '=', 'running')
        .execute();
    },

    /** Answers whether the run was going on. */
    async requestCancel(db: Db, id: number): Promise<boolean> {
      const done = await db
        .updateTable(table)
        .set({ cancel_requested: 1 })
        .where('id', '=', id)
        .where('status', '=', 'running')
        .executeTakeFirst();
      return done.numUpdatedRows > 0n;
    },
  };
}
