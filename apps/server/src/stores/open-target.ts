/** A storage target with its settings opened, for jobs. */
import { AppError } from '@backupx/contracts/errors';
import type { Kysely } from 'kysely';
import type { Tables } from '../database/tables.ts';
import type { SecretBox } from './secret-box.ts';
import { storageTargetsStore } from './storage-targets.store.ts';

/** Throws STORAGE_TARGET_NOT_FOUND. */
export async function openTarget(db: Kysely<Tables>, box: SecretBox, id: number) {
  const row = await storageTargetsStore.find(db, id);
  if (!row) throw new AppError('STORAGE_TARGET_NOT_FOUND');
  const config = storageTargetsStore.openConfig(box, row);
  return { id: row.id, name: row.name, type: row.type, enabled: row.enabled === 1, config };
}
