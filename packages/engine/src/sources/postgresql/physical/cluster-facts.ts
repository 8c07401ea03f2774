/** What a server says about itself that decides whether, and for how long, a physical backup of it is worth something. */
import { AppError } from '@backupx/contracts/errors';
import type { PsqlSession } from '../psql-session.ts';

/** Since 13 a base backup comes with a list of its files and their checksums. */
export const OLDEST_MAJOR = 13;
const QUESTION_LIMIT_MS = 30_000;

/** Settings that a restored server must not have less of than the original. */
export const KEPT_SETTINGS = [
  'max_connections',
  'max_worker_processes',
  'max_wal_senders',
  'max_prepared_transactions',
  'max_locks_per_transaction',
] as const;

export interface ClusterFacts {
  readonly mayReplicate: boolean;
  readonly walLevel: string;
  readonly maxWalSenders: number;
  readonly archiveMode: string;
  readonly dataChecksums: string;
  readonly systemIdentifier: string;
  /** Name of the superuser that came with the cluster. */
  readonly superuser: string;
  readonly blockBytes: number;
  readonly tablespaces: number;
  /** Streaming receivers of WAL; those of base backups among them. */
  readonly receivers: number;
  readonly settings: Readonly<Record<string, string>>;
}

const FACTS = `SELECT (SELECT rolreplication OR rolsuper FROM pg_roles WHERE rolname = current_user) AS "mayReplicate",
  current_setting('wal_level') AS "walLevel", current_setting('max_wal_senders')::int AS "maxWalSenders",
  current_setting('archive_mode') AS "archiveMode", current_setting('data_checksums') AS "dataChecksums",
  (SELECT system_identifier::text FROM pg_control_system()) AS "systemIdentifier",
  (SELECT rolname::text FROM pg_roles WHERE oid = 10) AS superuser,
  (SELECT count(*) FROM pg_tablespace WHERE spcname NOT IN ('pg_default', 'pg_global')) AS tablespaces,
  (SELECT count(*) FROM pg_stat_replication) AS receivers,
  (SELECT json_object_agg(name, setting) FROM pg_settings WHERE name IN (${KEPT_SETTINGS.map((name) => `'${name}'`).join(', ')})) AS settings`;

export async function readClusterFacts(session: PsqlSession): Promise<ClusterFacts> {
  const [facts] = await session.query<ClusterFacts>(FACTS, QUESTION_LIMIT_MS);
  if (!facts) throw new AppError('SOURCE_FAILED', { reason: 'the server said nothing about itself' });
  return facts;
}

/** Throws DATABASE_SETTINGS, DATABASE_PERMISSION for what would let every backup fail. */
export function assertReady(facts: ClusterFacts, { session, server, user }: Asked): void {
  const unfit = (reason: string) => new AppError('DATABASE_SETTINGS', { server, reason });
  const { major, version } = session.facts;
  if (major < OLDEST_MAJOR)
    throw unfit(`physical backups need PostgreSQL ${OLDEST_MAJOR} or later, and this is ${version}`);
  if (facts.walLevel === 'minimal')
    throw unfit('wal_level is "minimal"; set wal_level = replica and restart the server');
  if (facts.maxWalSenders === 0) throw unfit('max_wal_senders is 0; set it to 5 and restart the server');
  if (facts.mayReplicate) return;
  const action = `make a physical backup: it lacks REPLICATION (ALTER ROLE ... REPLICATION)`;
  throw new AppError('DATABASE_PERMISSION', { user, server, action });
}

interface Asked {
  readonly session: PsqlSession;
  /** For people. */
  readonly server: string;
  readonly user: string;
}

interface ArchiverRow {
  readonly failedCount: number;
  readonly lastFailedWal: string | null;
  readonly lastFailedAt: string | null;
  readonly isFailing: boolean;
  readonly archivedCount: number;
}

const ARCHIVER = `SELECT failed_count AS "failedCount", last_failed_wal AS "lastFailedWal",
  archived_count AS "archivedCount", to_char(last_failed_time AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"') AS "lastFailedAt",
  last_failed_time IS NOT NULL AND last_failed_time > coalesce(last_archived_time, '-infinity') AS "isFailing"
  FROM pg_stat_archiver`;
/** A query that names a function may not even be planned by who may not call it. */
const MAY_COUNT = `SELECT has_function_privilege('pg_catalog.pg_ls_archive_statusdir()', 'EXECUTE') AS may`;
const WAITING = `SELECT count(*) AS waiting FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready'`;
const SLOTS = `SELECT slot_name::text AS name, wal_status AS status, pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery()
  THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END, restart_lsn)::bigint AS bytes
  FROM pg_replication_slots WHERE NOT active AND NOT temporary AND restart_lsn IS NOT NULL ORDER BY 1`;

/** An alarm is something that goes wrong now; a remark is for people to know. */
export interface ClusterAlarms {
  readonly alarms: readonly string[];
  readonly remarks: readonly string[];
}

/** What keeps the WAL from being archived, or fills the disk of the server. */
export async function readAlarms(session: PsqlSession, facts: ClusterFacts): Promise<ClusterAlarms> {
  const alarms: string[] = [];
  const remarks: string[] = [];
  if (facts.archiveMode !== 'off') {
    const [archiver] = await session.query<ArchiverRow>(ARCHIVER, QUESTION_LIMIT_MS);
    if (archiver?.isFailing) alarms.push(failing(archiver, await countWaiting(session)));
    else if (archiver?.archivedCount === 0)
      remarks.push('The archiver of the server has not archived a segment of WAL yet.');
  } else if (facts.receivers === 0) {
    remarks.push(
      'archive_mode is off and nothing receives the WAL: only the moments of the backups can be restored, none between.',
    );
  }
  const slots = await session.query<{ name: string; status: string; bytes: number }>(SLOTS, QUESTION_LIMIT_MS);
  for (const { name, status, bytes } of slots) {
    const held = `holds back ${Math.ceil(bytes / 1e6)} MB of WAL`;
    remarks.push(
      `The replication slot "${name}" is used by nobody and ${held} (${status}); drop it if it is forgotten.`,
    );
  }
  return { alarms, remarks };
}

/** Null: the user may not know. */
async function countWaiting(session: PsqlSession): Promise<number | null> {
  const [rights] = await session.query<{ may: boolean }>(MAY_COUNT, QUESTION_LIMIT_MS);
  if (!rights?.may) return null;
  const [row] = await session.query<{ waiting: number }>(WAITING, QUESTION_LIMIT_MS);
  return row?.waiting ?? null;
}

function failing({ lastFailedWal, lastFailedAt, failedCount }: ArchiverRow, waiting: number | null): string {
  const queue = waiting === null ? '' : ` ${waiting} segment(s) wait in pg_wal, which will fill its disk.`;
  const last = `last for ${lastFailedWal} at ${lastFailedAt}`;
  return `The archiver of the server fails (${last}, ${failedCount} time(s)).${queue} See archive_command and the log of the server.`;
}
