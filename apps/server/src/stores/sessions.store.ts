/** SQL of sessions. Only hashes of tokens are stored: whoever reads the database cannot sign in with it. */
import type { Insertable, Kysely } from 'kysely';
import type { SessionsTable, Tables } from '../database/tables.ts';

type Db = Kysely<Tables>;

export const sessionsStore = {
  /** The living session of an enabled user. */
  findWithUser(db: Db, tokenHash: string, now: string) {
    return db
      .selectFrom('sessions')
      .innerJoin('users', 'users.id', 'sessions.user_id')
      .select([
        'sessions.id as session_id',
        'sessions.csrf_token',
        'sessions.last_used_at',
        'users.id as user_id',
        'users.username',
        'users.role',
      ])
      .where('sessions.token_hash', '=', tokenHash)
      .where('sessions.expires_at', '>', now)
      .where('users.enabled', '=', 1)
      .executeTakeFirst();
  },

  async csrfToken(db: Db, id: number): Promise<string | null> {
    const row = await db.selectFrom('sessions').select('csrf_token').where('id', '=', id).executeTakeFirst();
    return row?.csrf_token ?? null;
  },

  async insert(db: Db, values: Insertable<SessionsTable>): Promise<number> {
    const row = await db.insertInto('sessions').values(values).returning('id').executeTakeFirstOrThrow();
    return row.id;
  },

  async touch(db: Db, id: number, now: string): Promise<void> {
    await db.updateTable('sessions').set({ last_used_at: now }).where('id', '=', id).execute();
  },

  async remove(db: Db, id: number): Promise<void> {
    await db.deleteFrom('sessions').where('id', '=', id).execute();
  },

  /** Ends the sessions of a user; `except` stays. */
  async removeOfUser(db: Db, userId: number, except: number | null = null): Promise<void> {
    let query = db.deleteFrom('sessions').where('user_id', '=', userId);
    if (except !== null) query = query.where('id', '!=', except);
    await query.execute();
  },

  async removeExpired(db: Db, now: string): Promise<void> {
    await db.deleteFrom('sessions').where('expires_at', '<=', now).execute();
  },
};
