/** SQL of API keys; only the hash of a key is stored. */
import type { Insertable, Kysely, Selectable } from 'kysely';
import type { ApiKeysTable, Tables } from '../database/tables.ts';
import { containsText } from './contains-text.ts';
import { type ListWindow, windowOf } from './list-window.ts';

type Db = Kysely<Tables>;
export type ApiKeyRow = Selectable<ApiKeysTable>;

export const apiKeysStore = {
  findByHash(db: Db, keyHash: string): Promise<ApiKeyRow | undefined> {
    return db.selectFrom('api_keys').selectAll().where('key_hash', '=', keyHash).executeTakeFirst();
  },

  async list(db: Db, options: ListWindow & { q?: string | undefined }): Promise<{ rows: ApiKeyRow[]; total: number }> {
    let query = db.selectFrom('api_keys');
    if (options.q) query = query.where(containsText('name', options.q));
    const rows = await windowOf(query.selectAll().orderBy('id'), options).execute();
    const { total } = await query.select((eb) => eb.fn.countAll<number>().as('total')).executeTakeFirstOrThrow();
    return { rows, total: Number(total) };
  },

  insert(db: Db, values: Insertable<ApiKeysTable>): Promise<ApiKeyRow> {
    return db.insertInto('api_keys').values(values).returningAll().executeTakeFirstOrThrow();
  },

  setEnabled(db: Db, id: number, enabled: boolean): Promise<ApiKeyRow | undefined> {
    return db
      .updateTable('api_keys')
      .set({ enabled: enabled ? 1 : 0 })
      .where('id', '=', id)
      .returningAll()
      .executeTakeFirst();
  },

  async touch(db: Db, id: number, now: string): Promise<void> {
    await db.updateTable('api_keys').set({ last_used_at: now }).where('id', '=', id).execute();
  },

  async remove(db: Db, id: number): Promise<ApiKeyRow | undefined> {
    return db.deleteFrom('api_keys').where('id', '=', id).returningAll().executeTakeFirst();
  },
};
