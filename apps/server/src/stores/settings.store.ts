/** SQL of settings: one JSON value per key. What an administrator edits at run time lies here, never in the config file. */
import type { Kysely } from 'kysely';
import type { Tables } from '../database/tables.ts';

type Db = Kysely<Tables>;

/** Every key in use. Sealed ones hold the output of a secret box. */
export type SettingKey =
  | 'site'
  | 'secret_canary'
  | 'chunker_polynomial'
  | 'installation_id'
  | 'encryption_key'
  | 'recovery_kit_downloaded_at';

export const settingsStore = {
  /** Null when the key was never written. */
  async get<T>(db: Db, key: SettingKey): Promise<T | null> {
    const row = await db.selectFrom('settings').select('value').where('key', '=', key).executeTakeFirst();
    return row ? (JSON.parse(row.value) as T) : null;
  },

  /** Writes a key that was never written; leaves one that was. */
  async add(db: Db, key: SettingKey, value: unknown, now: string): Promise<void> {
    await db
      .insertInto('settings')
      .values({ key, value: JSON.stringify(value), updated_at: now })
      .onConflict((conflict) => conflict.column('key').doNothing())
      .execute();
  },

  async set(db: Db, key: SettingKey, value: unknown, now: string): Promise<void> {
    const columns = { value: JSON.stringify(value), updated_at: now };
    await db
      .insertInto('settings')
      .values({ key, ...columns })
      .onConflict((conflict) => conflict.column('key').doUpdateSet(columns))
      .execute();
  },
};
