import { statSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import type { SourceInspection } from '../../ports/source.ts';
import type { SqliteConfig } from './config.ts';
import { databaseOfInventory, NAMED_AS_INVENTORY } from './entry-paths.ts';
import { findDatabases } from './find-databases.ts';
import { openLive, sqliteVersion } from './open-database.ts';
import { SIDECAR_SUFFIXES } from './sidecars.ts';
import { sqliteReason } from './sqlite-errors.ts';

/** Opens every database once as a backup would, without waiting for locks. */
export async function inspectDatabases(config: SqliteConfig): Promise<SourceInspection> {
  const { paths, problems } = findDatabases(config);
  const warnings = problems.map(({ path, message }) => `${path}: ${message}`);
  const databases = [...paths].sort().map((path) => {
    const reason = whyUnreadable(path);
    if (reason !== null) warnings.push(`${path}: ${reason}`);
    return { name: path, sizeBytes: sizeOf(path) };
  });
  return { server: `SQLite ${sqliteVersion}`, tool: '', databases, warnings, readOnlyUserSql: null };
}

/** With what lies beside it and is part of it. */
function sizeOf(path: string): number {
  const files = [path, ...SIDECAR_SUFFIXES.filter((suffix) => suffix !== '-shm').map((suffix) => `${path}${suffix}`)];
  return files.reduce((sum, file) => sum + (statSync(file, { throwIfNoEntry: false })?.size ?? 0), 0);
}

function whyUnreadable(path: string): string | null {
  if (databaseOfInventory(path) !== null) return NAMED_AS_INVENTORY;
  let live: DatabaseSync | null = null;
  try {
    live = openLive(path);
    live.prepare('SELECT count(*) FROM sqlite_schema').get();
    return null;
  } catch (error) {
    return sqliteReason(error);
  } finally {
    live?.close();
  }
}
