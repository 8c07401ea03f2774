/** What HANA itself says: its databases, and what became of a backup. Only the catalogue tells that one succeeded. */
import type { DatabaseSession } from '@backupx/contracts/jobs';
import type { Hdbsql } from './hdbsql.ts';
import { quoteName, quoteText } from './statements.ts';

export interface HanaDatabase {
  readonly name: string;
  readonly isActive: boolean;
}

/** SYSTEMDB and all tenants, by name. Throws DATABASE_*. */
export async function listDatabases(hdbsql: Hdbsql, signal: AbortSignal): Promise<HanaDatabase[]> {
  const rows = await hdbsql.query(['DATABASE_NAME', 'ACTIVE_STATUS'], 'FROM M_DATABASES', { signal });
  const found = rows.map(([name = '', status]) => ({ name, isActive: status === 'YES' }));
  return found
    .filter(({ name }) => name !== '')
    .sort((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)));
}

/** `2.00.059.00.1636613990`. Throws DATABASE_*. */
export async function serverVersion(hdbsql: Hdbsql, signal: AbortSignal): Promise<string> {
  const [row] = await hdbsql.query(['VERSION'], 'FROM M_DATABASE', { signal });
  return row?.[0] ?? 'of an unknown version';
}

export interface CatalogueEntry {
  readonly backupId: string;
  /** `successful`, `running`, `failed`, `cancelled`, … */
  readonly state: string;
  readonly kind: string;
  readonly message: string;
  /** UTC, as HANA writes it. */
  readonly endedAt: string;
}

/** The backup with this comment; null: HANA knows of none. Throws DATABASE_*. */
export async function findBackup(
  hdbsql: Hdbsql,
  wanted: { readonly database: string; readonly comment: string },
  signal: AbortSignal,
): Promise<CatalogueEntry | null> {
  const columns = ['BACKUP_ID', 'STATE_NAME', 'ENTRY_TYPE_NAME', 'MESSAGE', 'UTC_END_TIME'];
  const where = `DATABASE_NAME = ${quoteText(wanted.database)} AND ${quoteName('COMMENT')} = ${quoteText(wanted.comment)}`;
  const [row] = await hdbsql.query(columns, `FROM SYS_DATABASES.M_BACKUP_CATALOG WHERE ${where}`, { signal });
  if (!row) return null;
  const [backupId = '', state = '', kind = '', message = '', endedAt = ''] = row;
  return { backupId, state, kind, message, endedAt };
}

export interface CatalogueFile {
  readonly path: string;
  readonly sizeBytes: number;
}

/** Files, or names in Backint, that a backup consists of. Throws DATABASE_*. */
export async function listFiles(
  hdbsql: Hdbsql,
  backup: { readonly database: string; readonly backupId: string },
  signal: AbortSignal,
): Promise<CatalogueFile[]> {
  const where = `DATABASE_NAME = ${quoteText(backup.database)} AND BACKUP_ID = ${Number(backup.backupId)}`;
  const from = `FROM SYS_DATABASES.M_BACKUP_CATALOG_FILES WHERE ${where}`;
  const rows = await hdbsql.query(['DESTINATION_PATH', 'BACKUP_SIZE'], from, { signal });
  return rows.map(([path = '', size]) => ({ path, sizeBytes: Number(size) }));
}

const SESSION_COLUMNS = [
  ...['DATABASE_NAME', 'CONNECTION_ID', 'USER_NAME', 'CLIENT_IP', 'CLIENT_HOST', 'CLIENT_PID'],
  'LOCALTOUTC(START_TIME)',
];

/** Clients of every database but ourselves; those of HANA's own services are none. Throws DATABASE_*. */
export async function listSessions(hdbsql: Hdbsql, signal: AbortSignal): Promise<Map<string, DatabaseSession[]>> {
  const where = "CONNECTION_TYPE = 'Remote' AND CONNECTION_STATUS <> 'EMPTY' AND OWN = 'FALSE' AND CONNECTION_ID > 0";
  const rows = await hdbsql.query(SESSION_COLUMNS, `FROM SYS_DATABASES.M_CONNECTIONS WHERE ${where}`, { signal });
  const sessions = new Map<string, DatabaseSession[]>();
  for (const [database = '', id = '', user = '', ip = '', host = '', pid = '', startedAt = ''] of rows) {
    const since = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)/.exec(startedAt);
    const session = {
      ...{ id, user, address: ip || host, program: pid === '' ? '' : `process ${pid}` },
      since: since ? `${since[1]}T${since[2]}Z` : null,
    };
    sessions.set(database, [...(sessions.get(database) ?? []), session]);
  }
  return sessions;
}
