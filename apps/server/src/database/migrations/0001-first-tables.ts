/** All tables of the first version; `../tables.ts` explains the columns. */
import { sql } from 'kysely';
import { type AnyDb, makeTable as table } from './make-table.ts';

async function createPeople(db: AnyDb): Promise<void> {
  await table(
    db,
    'users',
    { id: true },
    {
      username: 'text',
      display_name: 'text',
      role: 'text',
      password_hash: 'text',
      enabled: 'int',
      created_at: 'text',
      last_login_at: 'text?',
    },
  ).execute();
  await table(
    db,
    'sessions',
    { id: true },
    {
      user_id: 'int',
      token_hash: 'text',
      csrf_token: 'text',
      created_at: 'text',
      expires_at: 'text',
      last_used_at: 'text',
      ip_address: 'text',
    },
  )
    .addForeignKeyConstraint('sessions_user', ['user_id'], 'users', ['id'], (key) => key.onDelete('cascade'))
    .execute();
  await table(
    db,
    'api_keys',
    { id: true },
    {
      name: 'text',
      role: 'text',
      prefix: 'text',
      key_hash: 'text',
      enabled: 'int',
      created_by: 'text',
      created_at: 'text',
      last_used_at: 'text?',
      expires_at: 'text?',
    },
  ).execute();
  await table(db, 'settings', { id: false }, { key: 'text', value: 'text', updated_at: 'text' })
    .addPrimaryKeyConstraint('settings_key', ['key'])
    .execute();
  await table(
    db,
    'audit_log',
    { id: true },
    {
      at: 'text',
      action: 'text',
      username: 'text',
      via: 'text',
      ip_address: 'text',
      target: 'text',
      detail: 'text',
      outcome: 'text',
    },
  ).execute();
}

async function createPlaces(db: AnyDb): Promise<void> {
  await table(
    db,
    'storage_targets',
    { id: true },
    {
      name: 'text',
      type: 'text',
      description: 'text',
      enabled: 'int',
      starred: 'int',
      config_sealed: 'text',
      quota_bytes: 'big',
      last_test_at: 'text?',
      last_test_ok: 'int?',
      last_test_message: 'text?',
      created_at: 'text',
      updated_at: 'text',
    },
  ).execute();
  await table(
    db,
    'nodes',
    { id: true },
    { name: 'text', is_local: 'int', token_hash: 'text?', created_at: 'text', updated_at: 'text' },
  ).execute();
  await table(
    db,
    'node_liveness',
    { id: false },
    {
      node_id: 'int',
      last_seen: 'text',
      hostname: 'text',
      ip_address: 'text',
      os: 'text',
      arch: 'text',
      agent_version: 'text',
      protocol: 'int',
      instance_id: 'text',
      boot_id: 'text',
      capabilities: 'text',
    },
  )
    .addPrimaryKeyConstraint('node_liveness_key', ['node_id'])
    .addForeignKeyConstraint('node_liveness_node', ['node_id'], 'nodes', ['id'], (key) => key.onDelete('cascade'))
    .execute();
}

async function createTasks(db: AnyDb): Promise<void> {
  await table(
    db,
    'tasks',
    { id: true },
    {
      name: 'text',
      type: 'text',
      enabled: 'int',
      cron_expr: 'text',
      timezone: 'text',
      node_id: 'int',
      source_sealed: 'text',
      compression: 'text',
      encrypt: 'int',
      backup_mode: 'text',
      tags: 'text',
      sla_hours_rpo: 'int',
      retention_days: 'int',
      max_backups: 'int',
      keep_daily: 'int',
      keep_weekly: 'int',
      keep_monthly: 'int',
      keep_yearly: 'int',
      next_run_at: 'text?',
      last_slot_at: 'text?',
      created_at: 'text',
      updated_at: 'text',
      deleted_at: 'text?',
    },
  ).execute();
  await table(db, 'task_targets', { id: false }, { task_id: 'int', storage_target_id: 'int', position: 'int' })
    .addPrimaryKeyConstraint('task_targets_key', ['task_id', 'storage_target_id'])
    .addForeignKeyConstraint('task_targets_task', ['task_id'], 'tasks', ['id'], (key) => key.onDelete('cascade'))
    // Only deleted tasks can still name a target that goes: removal is refused while a living one does.
    .addForeignKeyConstraint('task_targets_target', ['storage_target_id'], 'storage_targets', ['id'], (key) =>
      key.onDelete('cascade'),
    )
    .execute();
}

/** Records outlive nodes, targets and one another; therefore they hold ids without foreign keys. */
async function createRecords(db: AnyDb): Promise<void> {
  await table(
    db,
    'records',
    { id: true },
    {
      task_id: 'int',
      task_name: 'text',
      task_type: 'text',
      node_id: 'int',
      status: 'text',
      trigger: 'text',
      backup_kind: 'text',
      source_sealed: 'text',
      compression: 'text',
      encrypted: 'int',
      key_prefix: 'text',
      base_name: 'text',
      file_name: 'text',
      file_size: 'big',
      checksum: 'text',
      storage_path: 'text',
      contents_path: 'text',
      storage_target_id: 'int',
      targets: 'text',
      source_bytes: 'big',
      item_count: 'big',
      problem_count: 'big',
      problems: 'text',
      error_message: 'text',
      error_code: 'text',
      error_params: 'text',
      locked: 'int',
      cancel_requested: 'int',
      progress: 'text',
      last_activity_at: 'text',
      slot_at: 'text?',
      log_sequence: 'big',
      started_at: 'text',
      completed_at: 'text?',
    },
  ).execute();
  await table(db, 'record_logs', { id: true }, { owner: 'text', owner_id: 'int', text: 'text' }).execute();
  await table(
    db,
    'restore_records',
    { id: true },
    {
      record_id: 'int',
      task_id: 'int',
      task_name: 'text',
      node_id: 'int',
      status: 'text',
      target_path: 'text',
      paths: 'text',
      overwrite: 'text',
      items_written: 'big',
      bytes_written: 'big',
      items_skipped: 'big',
      problems: 'text',
      problem_count: 'big',
      error_message: 'text',
      error_code: 'text',
      error_params: 'text',
      cancel_requested: 'int',
      progress: 'text',
      last_activity_at: 'text',
      log_sequence: 'big',
      requested_by: 'text',
      started_at: 'text',
      completed_at: 'text?',
    },
  ).execute();
}

async function createQueues(db: AnyDb): Promise<void> {
  await table(
    db,
    'commands',
    { id: true },
    {
      node_id: 'int',
      type: 'text',
      lane: 'text',
      state: 'text',
      payload: 'text',
      record_id: 'int?',
      restore_record_id: 'int?',
      boot_id: 'text',
      result: 'text',
      error_message: 'text',
      created_at: 'text',
      dispatched_at: 'text?',
      last_activity_at: 'text',
      completed_at: 'text?',
      expires_at: 'text',
    },
  )
    .addForeignKeyConstraint('commands_node', ['node_id'], 'nodes', ['id'], (key) => key.onDelete('cascade'))
    .execute();
  await table(
    db,
    'followups',
    { id: true },
    {
      name: 'text',
      payload: 'text',
      state: 'text',
      attempts: 'int',
      run_after: 'text',
      last_error: 'text',
      created_at: 'text',
      completed_at: 'text?',
    },
  ).execute();
}

const uniqueIndexes: readonly [name: string, table: string, columns: string[]][] = [
  ['users_username', 'users', ['username']],
  ['sessions_token', 'sessions', ['token_hash']],
  ['api_keys_hash', 'api_keys', ['key_hash']],
  ['storage_targets_name', 'storage_targets', ['name']],
  ['nodes_name', 'nodes', ['name']],
  ['nodes_token', 'nodes', ['token_hash']],
  // One run per schedule slot, however often the scheduler is interrupted between claim and start. NULLs differ.
  ['records_slot', 'records', ['task_id', 'slot_at']],
];

const plainIndexes: readonly [name: string, table: string, columns: string[]][] = [
  ['sessions_user_id', 'sessions', ['user_id']],
  ['sessions_expiry', 'sessions', ['expires_at']],
  ['audit_log_action', 'audit_log', ['action', 'id']],
  ['audit_log_username', 'audit_log', ['username', 'id']],
  ['audit_log_at', 'audit_log', ['at']],
  ['tasks_next_run', 'tasks', ['next_run_at']],
  ['tasks_node', 'tasks', ['node_id']],
  ['task_targets_storage', 'task_targets', ['storage_target_id']],
  ['records_task', 'records', ['task_id', 'id']],
  ['records_node', 'records', ['node_id', 'id']],
  ['records_status', 'records', ['status', 'id']],
  ['records_target', 'records', ['storage_target_id']],
  // These two answer the overview from the index alone; it is asked often and looks at many rows.
  ['records_started', 'records', ['started_at', 'task_id', 'status']],
  ['records_size', 'records', ['status', 'file_size']],
  ['record_logs_owner', 'record_logs', ['owner', 'owner_id', 'id']],
  ['restore_records_record', 'restore_records', ['record_id', 'id']],
  ['restore_records_task', 'restore_records', ['task_id', 'id']],
  ['restore_records_status', 'restore_records', ['status', 'id']],
  ['commands_queue', 'commands', ['node_id', 'state', 'id']],
  ['commands_state', 'commands', ['state', 'last_activity_at']],
  ['commands_record', 'commands', ['record_id']],
  ['commands_restore', 'commands', ['restore_record_id']],
  ['followups_queue', 'followups', ['state', 'run_after']],
];

async function createIndexes(db: AnyDb): Promise<void> {
  for (const [name, on, columns] of uniqueIndexes) {
    await db.schema.createIndex(name).unique().on(on).columns(columns).execute();
  }
  for (const [name, on, columns] of plainIndexes) {
    await db.schema.createIndex(name).on(on).columns(columns).execute();
  }
  const tasks = db.schema.createIndex('tasks_living_name').unique().on('tasks').columns(['name']);
  await tasks.where(sql.ref('deleted_at'), 'is', null).execute();
  // The guarantee behind "one run at a time per task", whoever tries to start the second.
  const running = db.schema.createIndex('records_one_running').unique().on('records').columns(['task_id']);
  await running.where(sql.ref('status'), '=', sql.lit('running')).execute();
  const local = db.schema.createIndex('nodes_one_local').unique().on('nodes').columns(['is_local']);
  await local.where(sql.ref('is_local'), '=', sql.lit(1)).execute();
}

export async function up(db: AnyDb): Promise<void> {
  await createPeople(db);
  await createPlaces(db);
  await createTasks(db);
  await createRecords(db);
  await createQueues(db);
  await createIndexes(db);
}
