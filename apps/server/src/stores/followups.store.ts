/**
 * SQL of durable follow-up work. A row is `pending` until its time comes, `running` while claimed (with a lease in
 * `run_after`, so that a claim lost with its process is picked up again), then `done` or `failed`.
 */
import { type Kysely, type Selectable, sql } from 'kysely';
import type { FollowupsTable, Tables } from '../database/tables.ts';

type Db = Kysely<Tables>;
export type FollowupRow = Selectable<FollowupsTable>;

export const followupsStore = {
  async queue(db: Db, followup: { name: string; payload: unknown; now: string; runAfter?: string }): Promise<number> {
    const row = await db
      .insertInto('followups')
      .values({
        name: followup.name,
        payload: JSON.stringify(followup.payload),
        state: 'pending',
        attempts: 0,
        run_after: followup.runAfter ?? followup.now,
        last_error: '',
        created_at: followup.now,
        completed_at: null,
      })
      .returning('id')
      .executeTakeFirstOrThrow();
    return row.id;
  },

  /** True when the same work waits already; retention uses it so that a lasting failure does not pile up rows. */
  async isOpen(db: Db, name: string, payload: unknown): Promise<boolean> {
    const row = await db
      .selectFrom('followups')
      .select('id')
      .where('state', 'in', ['pending', 'running'])
      .where('name', '=', name)
      .where('payload', '=', JSON.stringify(payload))
      .limit(1)
      .executeTakeFirst();
    return row !== undefined;
  },

  /** Takes the next row whose time has come (an expired lease counts); undefined when there is none. */
  async claim(db: Db, now: string, leaseUntil: string): Promise<FollowupRow | undefined> {
    return await db
      .updateTable('followups')
      .set({ state: 'running', attempts: sql<number>`attempts + 1`, run_after: leaseUntil })
      .where('id', '=', nextQuery(db, now))
      .where('state', 'in', ['pending', 'running'])
      .where('run_after', '<=', now)
      .returningAll()
      .executeTakeFirst();
  },

  async complete(db: Db, id: number, now: string): Promise<void> {
    await db.updateTable('followups').set({ state: 'done', completed_at: now }).where('id', '=', id).execute();
  },

  async retryLater(db: Db, id: number, runAfter: string, error: string): Promise<void> {
    await db
      .updateTable('followups')
      .set({ state: 'pending', run_after: runAfter, last_error: error })
      .where('id', '=', id)
      .execute();
  },

  async giveUp(db: Db, id: number, now: string, error: string): Promise<void> {
    await db
      .updateTable('followups')
      .set({ state: 'failed', completed_at: now, last_error: error })
      .where('id', '=', id)
      .execute();
  },

  /** At start: claims of the last life are free again. */
  async releaseClaims(db: Db, now: string): Promise<void> {
    await db
      .updateTable('followups')
      .set({ state: 'pending', run_after: now })
      .where('state', '=', 'running')
      .execute();
  },

  async removeEnded(db: Db, before: string): Promise<void> {
    await db
      .deleteFrom('followups')
      .where('state', 'in', ['done', 'failed'])
      .where('completed_at', '<', before)
      .execute();
  },

  /** For tests and diagnostics. */
  async list(db: Db): Promise<FollowupRow[]> {
    return await db.selectFrom('followups').selectAll().orderBy('id').execute();
  },
};

/** Exported for the test that looks at its query plan. */
export function nextQuery(db: Db, now: string) {
  return db
    .selectFrom('followups')
    .select('id')
    .where('state', 'in', ['pending', 'running'])
    .where('run_after', '<=', now)
    .orderBy('run_after')
    .orderBy('id')
    .limit(1);
}
