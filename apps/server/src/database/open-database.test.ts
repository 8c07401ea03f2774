import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type Kysely, sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { lockDataDir } from './lock-data-dir.ts';
import { openDatabase } from './open-database.ts';
import type { RecordsTable, Tables } from './tables.ts';
import { createTestDatabase } from './test-database.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'backupx-db-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const record = (changes: Partial<Record<keyof RecordsTable, string | number | null>>) =>
  ({
    task_id: 1,
    task_name: 't',
    task_type: 'files',
    node_id: 1,
    status: 'running',
    trigger: 'manual',
    backup_kind: 'full',
    source_sealed: '',
    compression: 'zstd',
    encrypted: 0,
    key_prefix: '',
    base_name: '',
    file_name: '',
    file_size: 0,
    checksum: '',
    storage_path: '',
    contents_path: '',
    storage_target_id: 0,
    repository_id: 0,
    snapshot: '',
    targets: '[]',
    source_bytes: 0,
    item_count: 0,
    problem_count: 0,
    problems: '[]',
    error_message: '',
    error_code: '',
    error_params: '{}',
    locked: 0,
    cancel_requested: 0,
    progress: '',
    last_activity_at: '',
    slot_at: null,
    log_sequence: 0,
    started_at: '',
    completed_at: null,
    verified_status: '',
    verified_mode: '',
    verified_at: null,
    ...changes,
  }) as never;

async function insertRecord(db: Kysely<Tables>, changes: Parameters<typeof record>[0]): Promise<void> {
  await db.insertInto('records').values(record(changes)).execute();
}

describe('openDatabase', () => {
  it('creates every table of tables.ts with exactly its columns, and opens again', async () => {
    const path = join(dir, 'deep', 'b.db');
    const first = await openDatabase({ path });
    const tables = await first.db.introspection.getTables();
    expect(tables.map((table) => table.name).sort()).toEqual([
      'api_keys',
      'audit_log',
      'commands',
      'condemned_packs',
      'followups',
      'maintenance_records',
      'node_liveness',
      'nodes',
      'record_logs',
      'records',
      'repositories',
      'repository_leases',
      'restore_records',
      'sessions',
      'settings',
      'snapshot_arrivals',
      'storage_targets',
      'task_targets',
      'tasks',
      'users',
      'verify_records',
    ]);
    await insertRecord(first.db, {});
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(`${path}-wal`).mode & 0o777).toBe(0o600);
    const columns = tables.find((table) => table.name === 'records')?.columns.map((column) => column.name);
    expect(columns?.sort()).toEqual(['id', ...Object.keys(record({}))].sort());
    await first.close();
    await first.close();
    const second = await openDatabase({ path });
    const row = await second.db.selectFrom('records').selectAll().executeTakeFirstOrThrow();
    expect(row.task_name).toBe('t');
    await second.close();
  });

  it('sets WAL, full synchronisation and foreign keys', async () => {
    const { db, close } = await openDatabase({ path: join(dir, 'b.db') });
    expect((await sql<{ journal_mode: string }>`pragma journal_mode`.execute(db)).rows[0]?.journal_mode).toBe('wal');
    expect((await sql<{ synchronous: number }>`pragma synchronous`.execute(db)).rows[0]?.synchronous).toBe(2);
    expect((await sql<{ foreign_keys: number }>`pragma foreign_keys`.execute(db)).rows[0]?.foreign_keys).toBe(1);
    await close();
  });

  it('allows one running record per task and one record per slot', async () => {
    const { db, close } = await createTestDatabase();
    await insertRecord(db, {});
    await expect(insertRecord(db, {})).rejects.toThrow(/UNIQUE/);
    await insertRecord(db, { task_id: 2 });
    await insertRecord(db, { status: 'success', slot_at: '2026-01-01T00:00:00.000Z' });
    await insertRecord(db, { status: 'success' });
    await expect(insertRecord(db, { status: 'failed', slot_at: '2026-01-01T00:00:00.000Z' })).rejects.toThrow(/UNIQUE/);
    await close();
  });

  it('rolls back a failed transaction and keeps ids unique for ever', async () => {
    const { db, close } = await createTestDatabase();
    const failing = db.transaction().execute(async (trx) => {
      await insertRecord(trx, {});
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow('no');
    expect(await db.selectFrom('records').selectAll().execute()).toEqual([]);
    await insertRecord(db, {});
    const first = await db.selectFrom('records').select('id').executeTakeFirstOrThrow();
    await db.deleteFrom('records').execute();
    await insertRecord(db, {});
    const second = await db.selectFrom('records').select('id').executeTakeFirstOrThrow();
    expect(second.id).toBeGreaterThan(first.id);
    await close();
  });

  it('refuses a database of a newer version with a message that says so', async () => {
    const path = join(dir, 'b.db');
    await (await openDatabase({ path })).close();
    const raw = new DatabaseSync(path);
    raw.exec(`INSERT INTO kysely_migration (name, timestamp) VALUES ('0999-later', '2030-01-01T00:00:00Z')`);
    raw.close();
    await expect(openDatabase({ path })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('newer version'),
    });
  });

  it('answers CONFIG_INVALID for a file that is no database', async () => {
    const path = join(dir, 'missing', '\0');
    await expect(openDatabase({ path })).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });
});

describe('lockDataDir', () => {
  it('answers CONFIG_INVALID for a folder that cannot be made', () => {
    writeFileSync(join(dir, 'file'), '');
    expect(() => lockDataDir(join(dir, 'file', 'data'))).toThrowError(
      expect.objectContaining({ code: 'CONFIG_INVALID' }),
    );
  });

  it('holds against another process, and is free after that one was killed', async () => {
    const module = new URL('./lock-data-dir.ts', import.meta.url).href;
    const program = `import(${JSON.stringify(module)}).then(({ lockDataDir }) => { globalThis.lock = lockDataDir(${JSON.stringify(dir)}); console.log('held'); setInterval(() => {}, 1000); })`;
    const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(child.stdout, 'data');
    expect(() => lockDataDir(dir)).toThrowError(expect.objectContaining({ code: 'ALREADY_RUNNING' }));
    // What a backup of the data folder inside that process does to its lock.
    rmSync(join(dir, 'master.lock'));
    if (process.platform === 'linux') {
      expect(() => lockDataDir(dir)).toThrowError(expect.objectContaining({ code: 'ALREADY_RUNNING' }));
    }
    child.kill('SIGKILL');
    await once(child, 'exit');
    lockDataDir(dir).release();
  });

  it('refuses a second master and lets the next one in after release', () => {
    const first = lockDataDir(dir);
    expect(() => lockDataDir(dir)).toThrowError(expect.objectContaining({ code: 'ALREADY_RUNNING' }));
    first.release();
    first.release();
    lockDataDir(dir).release();
  });
});
