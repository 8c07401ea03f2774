/**
 * SQL of leases. Ids only grow, so "older than the mark" is a comparison of ids; a lease ends once and only when the
 * work behind it has surely ended.
 */
import type { Kysely, Selectable } from 'kysely';
import type { RepositoryLeasesTable, Tables } from '../database/tables.ts';

type Db = Kysely<Tables>;
export type LeaseRow = Selectable<RepositoryLeasesTable>;
export type LeaseOwner = 'record' | 'restore' | 'maintenance' | 'verify' | 'question';

/** Whose leases. */
export interface LeaseHolder {
  readonly owner: LeaseOwner;
  readonly ownerId: number;
}

export interface NewLease extends LeaseHolder {
  readonly repositoryId: number;
  readonly nodeId: number;
  readonly now: string;
}

export const repositoryLeasesStore = {
  async begin(db: Db, lease: NewLease): Promise<number> {
    const row = await db
      .insertInto('repository_leases')
      .values({
        repository_id: lease.repositoryId,
        owner: lease.owner,
        owner_id: lease.ownerId,
        node_id: lease.nodeId,
        started_at: lease.now,
        ended_at: null,
      })
      .returning('id')
      .executeTakeFirstOrThrow();
    return row.id;
  },

  /** Ends every lease of one holder; again is harmless. */
  async end(db: Db, holder: LeaseHolder, now: string): Promise<void> {
    await db
      .updateTable('repository_leases')
      .set({ ended_at: now })
      .where('owner', '=', holder.owner)
      .where('owner_id', '=', holder.ownerId)
      .where('ended_at', 'is', null)
      .execute();
  },

  async endOne(db: Db, id: number, now: string): Promise<void> {
    await db
      .updateTable('repository_leases')
      .set({ ended_at: now })
      .where('id', '=', id)
      .where('ended_at', 'is', null)
      .execute();
  },

  /** At start of the master: nobody waits for the answers any more. */
  async endQuestions(db: Db, now: string): Promise<void> {
    await db
      .updateTable('repository_leases')
      .set({ ended_at: now })
      .where('owner', '=', 'question')
      .where('ended_at', 'is', null)
      .execute();
  },

  /** Leases of a run in the order they were taken, ended ones too: they tell which repositories it uses. */
  async ofHolder(db: Db, holder: LeaseHolder): Promise<LeaseRow[]> {
    return await leasesOfHolderQuery(db, holder).execute();
  },

  async open(db: Db): Promise<LeaseRow[]> {
    return await db.selectFrom('repository_leases').selectAll().where('ended_at', 'is', null).orderBy('id').execute();
  },

  async openOfRepository(db: Db, repositoryId: number): Promise<LeaseRow[]> {
    return await openLeasesQuery(db, repositoryId).execute();
  },

  /** Id of the youngest lease there ever was; 0: none. */
  async lastId(db: Db): Promise<number> {
    const row = await db
      .selectFrom('repository_leases')
      .select(({ fn }) => fn.max('id').as('last'))
      .executeTakeFirst();
    return Number(row?.last ?? 0);
  },

  /** Those of records stay with their record: they tell which repositories hold a copy. The youngest id is never lost. */
  async removeEndedBefore(db: Db, before: string): Promise<void> {
    const last = await repositoryLeasesStore.lastId(db);
    await db
      .deleteFrom('repository_leases')
      .where('ended_at', '<', before)
      .where('owner', '!=', 'record')
      .where('id', '<', last)
      .execute();
  },

  /** With its record; the youngest stays, so that ids go on from it. */
  async removeAll(db: Db, holder: LeaseHolder): Promise<void> {
    const last = await repositoryLeasesStore.lastId(db);
    await db
      .deleteFrom('repository_leases')
      .where('owner', '=', holder.owner)
      .where('owner_id', '=', holder.ownerId)
      .where('ended_at', 'is not', null)
      .where('id', '<', last)
      .execute();
  },
};

/** Exported for the test that looks at its query plan. */
export function leasesOfHolderQuery(db: Db, holder: LeaseHolder) {
  return db
    .selectFrom('repository_leases')
    .selectAll()
    .where('owner', '=', holder.owner)
    .where('owner_id', '=', holder.ownerId)
    .orderBy('id');
}

/** Exported for the test that looks at its query plan. */
export function openLeasesQuery(db: Db, repositoryId: number) {
  return db
    .selectFrom('repository_leases')
    .selectAll()
    .where('repository_id', '=', repositoryId)
    .where('ended_at', 'is', null)
    .orderBy('id');
}
