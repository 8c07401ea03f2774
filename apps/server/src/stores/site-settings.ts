/** What an administrator edits at run time, with defaults for what was never set. */
import { type Settings, settingsSchema } from '@backupx/contracts/api/system';
import type { Kysely } from 'kysely';
import type { Tables } from '../database/tables.ts';
import { settingsStore } from './settings.store.ts';

export async function readSiteSettings(db: Kysely<Tables>): Promise<Settings> {
  return settingsSchema.parse((await settingsStore.get<Partial<Settings>>(db, 'site')) ?? {});
}
