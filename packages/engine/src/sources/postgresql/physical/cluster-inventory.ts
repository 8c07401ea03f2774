/** What a physical backup holds, for people and for the one who proves it: databases, tables, positions, settings. */
import type { DatabaseInventory, InventoryObject } from '../../../ports/database-inventory.ts';
import { listDatabases } from '../database-list.ts';
import { PsqlSession } from '../psql-session.ts';
import type { Server } from '../server.ts';
import { displayName } from '../sql-text.ts';
import { type BackupManifest, endOf, formatLsn } from './backup-manifest.ts';
import type { ClusterFacts } from './cluster-facts.ts';
import { CONFIG, WAL_FOLDER } from './entry-paths.ts';
import type { FileSums } from './file-sums.ts';

/** One database or table; equal keys at two moments are the same thing. */
interface Relation extends InventoryObject {
  readonly key: string;
}

const TABLES = `SELECT c.oid::text AS oid, n.nspname::text AS schema, c.relname::text AS name,
  CASE c.relkind WHEN 'm' THEN 'materialized view' ELSE 'table' END AS kind
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'm') AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'`;
const LIMIT_MS = 300_000;

/** Databases of the server, and the tables in those that let the user in. */
export async function listRelations(
  server: Server,
  session: PsqlSession,
  signal: AbortSignal,
): Promise<readonly Relation[]> {
  const databases = await listDatabases(session);
  const oids = await session.query<{ oid: string; name: string }>(
    'SELECT oid::text AS oid, datname::text AS name FROM pg_database',
  );
  const oidOf = new Map(oids.map(({ oid, name }) => [name, oid]));
  const found: Relation[] = [];
  for (const { name, mayConnect, isOpen } of databases) {
    const oid = oidOf.get(name) ?? '';
    found.push({ key: oid, kind: 'database', name });
    if (!mayConnect || !isOpen) continue;
    const tables = await listTables(server, name, signal);
    for (const table of tables)
      found.push({
        key: `${oid}/${table.oid}`,
        kind: table.kind,
        name: tableName(name, table.schema, table.name),
      });
  }
  return found;
}

/** A table's name with its database, as the inventory has it. */
export function tableName(database: string, schema: string, name: string): string {
  return displayName(database, schema, name);
}

interface TableRow {
  readonly oid: string;
  readonly schema: string;
  readonly name: string;
  readonly kind: string;
}

/** None for a database that lets nobody in after all, or was dropped meanwhile. */
async function listTables(server: Server, database: string, signal: AbortSignal): Promise<TableRow[]> {
  let session: PsqlSession | null = null;
  try {
    session = await PsqlSession.open(server, database, signal);
    return await session.query<TableRow>(TABLES, LIMIT_MS);
  } catch (error) {
    signal.throwIfAborted();
    if ((error as { code?: string }).code === 'DATABASE_UNREACHABLE') throw error;
    return [];
  } finally {
    await session?.close();
  }
}

/** What was there at both moments was there at every moment between, and so is in the backup. */
export function inBoth(before: readonly Relation[], after: readonly Relation[]): InventoryObject[] {
  const keys = new Map(after.map((relation) => [relation.key, relation.name]));
  return before.filter(({ key, name }) => keys.get(key) === name).map(({ kind, name }) => ({ kind, name }));
}

export interface InventoryParts {
  readonly serverVersion: string;
  readonly toolVersion: string;
  readonly facts: ClusterFacts;
  readonly manifest: BackupManifest;
  readonly sums: FileSums;
  readonly objects: readonly InventoryObject[];
  readonly startedAt: string;
  readonly endedAt: string;
  readonly damagedPages: readonly string[];
  readonly dataFolder: string | null;
  readonly maintenanceDatabase: string;
}

/** Key of the checksum of a file that the manifest does not list. */
export const sumKey = (name: string): string => `sha256 ${name}`;

export function physicalInventory(parts: InventoryParts): DatabaseInventory {
  const { facts, manifest, sums, serverVersion, toolVersion } = parts;
  const wal = [...sums.paths()].filter((path) => path.startsWith(`${WAL_FOLDER}/`) || path.startsWith(`${CONFIG}/`));
  return {
    format: 1,
    server: `PostgreSQL ${serverVersion}`,
    tool: `pg_basebackup ${toolVersion}`,
    database: 'whole server',
    objects: [...parts.objects],
    details: {
      ...facts.settings,
      systemIdentifier: facts.systemIdentifier,
      superuser: facts.superuser,
      maintenanceDatabase: parts.maintenanceDatabase,
      archiveMode: facts.archiveMode,
      dataChecksums: facts.dataChecksums,
      startLsn: formatLsn(manifest.ranges[0]?.start ?? 0n),
      endLsn: formatLsn(endOf(manifest)),
      timeline: String(Math.max(...manifest.ranges.map(({ timeline }) => timeline))),
      startedAt: parts.startedAt,
      endedAt: parts.endedAt,
      ...(parts.dataFolder === null ? {} : { dataFolder: parts.dataFolder }),
      ...(parts.damagedPages.length > 0 ? { damagedPages: parts.damagedPages.join('\n') } : {}),
      ...Object.fromEntries(wal.map((path) => [sumKey(path), sums.get(path)?.sha256 ?? ''])),
    },
  };
}
