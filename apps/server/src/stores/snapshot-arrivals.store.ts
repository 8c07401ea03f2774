/** SQL of the times snapshots came through the gateway. The first arrival counts: a client cannot renew it. */
import type { Insertable, Kysely } from 'kysely';
import type { SnapshotArrivalsTable, Tables } from '../database/tables.ts';

type Db = Kysely<Tables>;

export const snapshotArrivalsStore = {
  async note(db: Db, arrival: Insertable<SnapshotArrivalsTable>): Promise<void> {
    await db
      .insertInto('snapshot_arrivals')
      .values(arrival)
      .onConflict((conflict) => conflict.columns(['repository_id', 'snapshot_id']).doNothing())
      .execute();
  },

  /** RFC 3339 by snapshot id. */
  async ofRepository(db: Db, repositoryId: number): Promise<ReadonlyMap<string, string>> {
    const rows = await db
      .selectFrom('snapshot_arrivals')
      .select(['snapshot_id', 'arrived_at'])
      .where('repository_id', '=', repositoryId)
      .execute();
    return new Map(rows.map((row) => [row.snapshot_id, row.arrived_at]));
  },
};
