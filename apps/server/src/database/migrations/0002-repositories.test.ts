import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Kysely, sql } from 'kysely';
import { Migrator } from 'kysely/migration';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openDatabase } from '../open-database.ts';
import { openSqlite } from '../sqlite.ts';
import { up as createFirstTables } from './0001-first-tables.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'backupx-migration-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A database as the version before left it, with a row in each table that changes. */
async function writeOldDatabase(path: string): Promise<void> {
  const db = new Kysely<unknown>({ dialect: openSqlite(path) });
  const migrations = { '0001-first-tables': { up: createFirstTables } };
  const { error } = await new Migrator({ db, provider: { getMigrations: async () => migrations } }).migrateToLatest();
  if (error) throw error;
  const at = '2026-01-01T00:00:00.000Z';
  await sql`insert into nodes (name, is_local, created_at, updated_at) values ('local', 1, ${at}, ${at})`.execute(db);
  await sql`insert into storage_targets (name, type, description, enabled, starred, config_sealed, quota_bytes, created_at, updated_at)
    values ('disk', 'local_disk', '', 1, 0, 'x', 0, ${at}, ${at})`.execute(db);
  await sql`insert into tasks (name, type, enabled, cron_expr, timezone, node_id, source_sealed, compression, encrypt, backup_mode,
    tags, sla_hours_rpo, retention_days, max_backups, keep_daily, keep_weekly, keep_monthly, keep_yearly, created_at, updated_at)
    values ('web', 'file', 1, '', '', 1, 'x', 'zstd', 0, 'full', '[]', 0, 30, 0, 0, 0, 0, 0, ${at}, ${at})`.execute(db);
  await sql`insert into records (task_id, task_name, task_type, node_id, status, trigger, backup_kind, source_sealed, compression,
    encrypted, key_prefix, base_name, file_name, file_size, checksum, storage_path, contents_path, storage_target_id, targets,
    source_bytes, item_count, problem_count, problems, error_message, error_code, error_params, locked, cancel_requested,
    progress, last_activity_at, log_sequence, started_at)
    values (1, 'web', 'file', 1, 'success', 'manual', 'full', 'x', 'zstd', 0, 'web-1/r1', 'web', 'web.tar', 5, 'c', 'web-1/r1/web.tar',
    '', 1, '[]', 5, 1, 0, '[]', '', '', '{}', 1, 0, '', ${at}, 0, ${at})`.execute(db);
  await sql`insert into restore_records (record_id, task_id, task_name, node_id, status, target_path, paths, overwrite, items_written,
    bytes_written, items_skipped, problems, problem_count, error_message, error_code, error_params, cancel_requested, progress,
    last_activity_at, log_sequence, requested_by, started_at)
    values (1, 1, 'web', 1, 'success', '', '[]', 'never', 1, 5, 0, '[]', 0, '', '', '{}', 0, '', ${at}, 0, 'ada', ${at})`.execute(
    db,
  );
  await sql`insert into commands (node_id, type, lane, state, payload, record_id, boot_id, result, error_message, created_at,
    last_activity_at, expires_at) values (1, 'run_task', 'work', 'succeeded', '{}', 1, '', '', '', ${at}, ${at}, ${at})`.execute(
    db,
  );
  await db.destroy();
}

it('keeps what a database of the version before holds, as archives', async () => {
  const path = join(folder, 'old.db');
  await writeOldDatabase(path);
  const { db, close } = await openDatabase({ path });
  const [record] = await db.selectFrom('records').selectAll().execute();
  expect(record).toMatchObject({ id: 1, file_name: 'web.tar', locked: 1, repository_id: 0, snapshot: '' });
  expect(await db.selectFrom('tasks').selectAll().execute()).toMatchObject([{ backup_mode: 'full', repository_id: 0 }]);
  expect(await db.selectFrom('restore_records').selectAll().execute()).toMatchObject([
    { record_id: 1, repository_id: 0, snapshot_id: '', dry_run: 0 },
  ]);
  expect(await db.selectFrom('commands').selectAll().execute()).toMatchObject([{ maintenance_record_id: null }]);
  expect(await db.selectFrom('repositories').selectAll().execute()).toEqual([]);
  await close();
});
