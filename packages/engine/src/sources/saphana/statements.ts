/** The statements of a backup. All are run in SYSTEMDB, also for tenants. */
import type { HanaConfig } from './config.ts';

export const SYSTEM_DATABASE = 'SYSTEMDB';

export function quoteText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

export interface BackupStatement {
  readonly database: string;
  readonly kind: HanaConfig['backupKind'];
  /** Null: through Backint. */
  readonly folder: string | null;
  readonly prefix: string;
  /** By this the backup is found in the catalogue. */
  readonly comment: string;
}

/** `BACKUP DATA [INCREMENTAL|DIFFERENTIAL] [FOR tenant] USING … COMMENT …`; the kind stands before the database. */
export function backupStatement({ database, kind, folder, prefix, comment }: BackupStatement): string {
  const words = ['BACKUP DATA'];
  if (kind !== 'complete') words.push(kind.toUpperCase());
  if (database !== SYSTEM_DATABASE) words.push(`FOR ${quoteName(database)}`);
  const file = folder === null ? '' : `${quoteText(`${folder}/`)}, `;
  words.push(`USING ${folder === null ? 'BACKINT' : 'FILE'} (${file}${quoteText(prefix)})`);
  words.push(`COMMENT ${quoteText(comment)}`);
  return words.join(' ');
}
