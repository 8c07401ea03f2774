import { AppError } from '@backupx/contracts/errors';
import { isStorageKey } from '@backupx/engine/ports/storage-key';

/**
 * An agent may name objects of its own record only. Ours writes below the record's prefix; agents from the field choose
 * `BackupX/<type>/<yymmdd>/records/<record id>/<file>` (the day by their own clock, so it is not compared).
 * Throws STORAGE_INVALID_KEY for a name that is not clean, BACKUP_RECORD_FORBIDDEN for somebody else's.
 */
export function checkArtifactKey(record: { id: number; key_prefix: string }, key: string, protocol: number): void {
  if (!isStorageKey(key)) throw new AppError('STORAGE_INVALID_KEY', { key: JSON.stringify(key.slice(0, 200)) });
  if (record.key_prefix !== '' && key.startsWith(`${record.key_prefix}/`)) return;
  const fieldKey = new RegExp(`^BackupX/[^/]+/\\d{6}/records/${record.id}/[^/]+$`);
  if (protocol === 1 && fieldKey.test(key)) return;
  throw new AppError('BACKUP_RECORD_FORBIDDEN');
}
