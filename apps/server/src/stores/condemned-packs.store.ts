/** SQL of the clean-up journal: packs that a mark has condemned and no sweep has deleted yet. */
import type { Kysely } from 'kysely';
import type { Tables } from '../database/tables.ts';

type Db = Kysely<Tables>;

const BATCH = 500;

export const condemnedPacksStore = {
  async add(
    db: Db,
    mark: { repositoryId: number; packs: readonly string[]; lastLeaseId: number; now: string },
  ): Promise<void> {
    for (let start = 0; start < mark.packs.length; start += BATCH) {
      const values = mark.packs.slice(start, start + BATCH).map((pack) => ({
        repository_id: mark.repositoryId,
        pack_id: pack,
        last_lease_id: mark.lastLeaseId,
        marked_at: mark.now,
      }));
      await db
        .insertInto('condemned_packs')
        .values(values)
        .onConflict((conflict) =>
          conflict
            .columns(['repository_id', 'pack_id'])
            .doUpdateSet(({ ref }) => ({ last_lease_id: ref('excluded.last_lease_id') })),
        )
        .execute();
    }
  },

  async packs(db: Db, repositoryId: number): Promise<string[]> {
    const rows = await condemnedQuery(db, repositoryId).execute();
    return rows.map((row) => row.pack_id);
  },

  /** Youngest lease that may not know of the condemned packs; null: nothing is condemned. */
  async lastLeaseId(db: Db, repositoryId: number): Promise<number | null> {
    const row = await db
      .selectFrom('condemned_packs')
      .select(({ fn }) => fn.max('last_lease_id').as('last'))
      .where('repository_id', '=', repositoryId)
      .executeTakeFirst();
    return row?.last === null || row?.last === undefined ? null : Number(row.last);
  },

  async clear(db: Db, repositoryId: number): Promise<void> {
    await db.deleteFrom('condemned_packs').where('repository_id', '=', repositoryId).execute();
  },
};

/** Exported for the test that looks at its query plan. */
export function condemnedQuery(db: Db, repositoryId: number) {
  return db
    .selectFrom('condemned_packs')
    .select('pack_id')
    .where('repository_id', '=', repositoryId)
    .orderBy('pack_id');
}
