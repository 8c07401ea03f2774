/** SQL of users. Names are unique regardless of upper and lower case. */
import type { User } from '@backupx/contracts/api/auth';
import type { Insertable, Kysely, Selectable, Updateable } from 'kysely';
import { sql } from 'kysely';
import type { Tables, UsersTable } from '../database/tables.ts';
import { containsText } from './contains-text.ts';
import { type ListWindow, windowOf } from './list-window.ts';

type Db = Kysely<Tables>;
export type UserRow = Selectable<UsersTable>;

export const usersStore = {
  async count(db: Db): Promise<number> {
    const row = await db
      .selectFrom('users')
      .select((eb) => eb.fn.countAll<number>().as('count'))
      .executeTakeFirstOrThrow();
    return Number(row.count);
  },

  /** Administrators who can sign in. */
  async countAdmins(db: Db): Promise<number> {
    const row = await db
      .selectFrom('users')
      .select((eb) => eb.fn.countAll<number>().as('count'))
      .where('role', '=', 'admin')
      .where('enabled', '=', 1)
      .executeTakeFirstOrThrow();
    return Number(row.count);
  },

  find(db: Db, id: number): Promise<UserRow | undefined> {
    return db.selectFrom('users').selectAll().where('id', '=', id).executeTakeFirst();
  },

  findByName(db: Db, username: string): Promise<UserRow | undefined> {
    return db
      .selectFrom('users')
      .selectAll()
      .where(sql`lower(username)`, '=', username.toLowerCase())
      .executeTakeFirst();
  },

  async list(db: Db, options: ListWindow & { q?: string | undefined }): Promise<{ rows: UserRow[]; total: number }> {
    let query = db.selectFrom('users');
    if (options.q) query = query.where(containsText('username', options.q));
    const rows = await windowOf(query.selectAll().orderBy('username').orderBy('id'), options).execute();
    const { total } = await query.select((eb) => eb.fn.countAll<number>().as('total')).executeTakeFirstOrThrow();
    return { rows, total: Number(total) };
  },

  insert(db: Db, values: Insertable<UsersTable>): Promise<UserRow> {
    return db.insertInto('users').values(values).returningAll().executeTakeFirstOrThrow();
  },

  update(db: Db, id: number, values: Updateable<UsersTable>): Promise<UserRow | undefined> {
    return db.updateTable('users').set(values).where('id', '=', id).returningAll().executeTakeFirst();
  },

  async remove(db: Db, id: number): Promise<boolean> {
    const done = await db.deleteFrom('users').where('id', '=', id).executeTakeFirst();
    return done.numDeletedRows > 0n;
  },
};

/** The user as the API shows it. */
export function toUser(row: UserRow): User {
  return {
    id: row.id,
    username: row.username,
    displayName: row.display_name,
    role: row.role as User['role'],
    enabled: row.enabled === 1,
    createdAt: row.created_at,
    lastLoginAt: row.last_login_at,
  };
}
