/** Repositories, who uses them, their clean-ups and maintenance; `../tables.ts` explains the columns. */
import { sql } from 'kysely';
import { type AnyDb, makeTable } from './make-table.ts';

/** Columns for rows that exist already; an archive is what they were. */
async function addColumns(db: AnyDb): Promise<void> {
  const numbers: readonly [table: string, column: string][] = [
    ['tasks', 'repository_id'],
    ['records', 'repository_id'],
    ['restore_records', 'repository_id'],
    ['restore_records', 'dry_run'],
  ];
  for (const [table, column] of numbers) {
    await db.schema
      .alterTable(table)
      .addColumn(column, 'integer', (definition) => definition.notNull().defaultTo(0))
      .execute();
  }
  const texts: readonly [table: string, column: string][] = [
    ['records', 'snapshot'],
    ['restore_records', 'snapshot_id'],
  ];
  for (const [table, column] of texts) {
    await db.schema
      .alterTable(table)
      .addColumn(column, 'text', (definition) => definition.notNull().defaultTo(''))
      .execute();
  }
  await db.schema.alterTable('commands').addColumn('maintenance_record_id', 'integer').execute();
}

async function createRepositories(db: AnyDb): Promise<void> {
  const columns = {
    name: 'text',
    state: 'text',
    storage_target_id: 'int',
    node_id: 'int',
    prefix: 'text',
    is_on_node_disk: 'int',
    is_own: 'int',
    is_adopted: 'int',
    repository_hex: 'text',
    version: 'int',
    secret_sealed: 'text',
    gateway_token_hash: 'text?',
    quota_bytes: 'big',
    stored_bytes: 'big',
    prune_every_days: 'int',
    check_every_days: 'int',
    check_part: 'int',
    forgotten_count: 'int',
    last_check_at: 'text?',
    last_check_ok: 'int?',
    problem_count: 'big',
    damaged_since: 'text?',
    damage_read: 'text',
    last_prune_at: 'text?',
    next_check_at: 'text?',
    next_prune_at: 'text?',
    next_sweep_at: 'text?',
    recovery_kit_at: 'text?',
    created_at: 'text',
    updated_at: 'text',
  };
  await makeTable(db, 'repositories', { id: true }, columns)
    .addForeignKeyConstraint('repositories_target', ['storage_target_id'], 'storage_targets', ['id'])
    .execute();
}

async function createUse(db: AnyDb): Promise<void> {
  const leases = {
    repository_id: 'int',
    owner: 'text',
    owner_id: 'int',
    node_id: 'int',
    started_at: 'text',
    ended_at: 'text?',
  };

  await makeTable(db, 'repository_leases', { id: true }, leases)
    .addForeignKeyConstraint('leases_repository', ['repository_id'], 'repositories', ['id'], (key) =>
      key.onDelete('cascade'),
    )
    .execute();
  const condemned = { repository_id: 'int', pack_id: 'text', last_lease_id: 'big', marked_at: 'text' };
  await makeTable(db, 'condemned_packs', { id: false }, condemned)
    .addPrimaryKeyConstraint('condemned_packs_key', ['repository_id', 'pack_id'])
    .addForeignKeyConstraint('condemned_repository', ['repository_id'], 'repositories', ['id'], (key) =>
      key.onDelete('cascade'),
    )
    .execute();
  const arrivals = { repository_id: 'int', snapshot_id: 'text', arrived_at: 'text', caller: 'text' };
  await makeTable(db, 'snapshot_arrivals', { id: false }, arrivals)
    .addPrimaryKeyConstraint('snapshot_arrivals_key', ['repository_id', 'snapshot_id'])
    .addForeignKeyConstraint('arrivals_repository', ['repository_id'], 'repositories', ['id'], (key) =>
      key.onDelete('cascade'),
    )
    .execute();
}

/** They outlive their repository, like records their task. */
async function createMaintenance(db: AnyDb): Promise<void> {
  await makeTable(
    db,
    'maintenance_records',
    { id: true },
    {
      repository_id: 'int',
      repository_name: 'text',
      node_id: 'int',
      kind: 'text',
      trigger: 'text',
      status: 'text',
      options: 'text',
      result: 'text',
      summary: 'text',
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

const plainIndexes: readonly [name: string, table: string, columns: string[]][] = [
  ['repositories_place', 'repositories', ['storage_target_id', 'node_id']],
  ['repositories_node', 'repositories', ['node_id']],
  ['repository_leases_owner', 'repository_leases', ['owner', 'owner_id']],
  ['repository_leases_repository', 'repository_leases', ['repository_id', 'owner']],
  ['maintenance_records_repository', 'maintenance_records', ['repository_id', 'id']],
  ['maintenance_records_status', 'maintenance_records', ['status', 'id']],
  ['records_repository', 'records', ['repository_id', 'id']],
  ['restore_records_repository', 'restore_records', ['repository_id', 'id']],
  ['tasks_repository', 'tasks', ['repository_id']],
  ['commands_maintenance', 'commands', ['maintenance_record_id']],
];

async function createIndexes(db: AnyDb): Promise<void> {
  for (const [name, on, columns] of plainIndexes) {
    await db.schema.createIndex(name).on(on).columns(columns).execute();
  }
  await db.schema.createIndex('repositories_name').unique().on('repositories').columns(['name']).execute();
  const token = db.schema.createIndex('repositories_token').unique().on('repositories').columns(['gateway_token_hash']);
  await token.execute();
  // Two first runs at once must agree on one.
  const own = db.schema.createIndex('repositories_one_own').unique().on('repositories');
  await own.columns(['storage_target_id', 'node_id']).where(sql.ref('is_own'), '=', sql.lit(1)).execute();
  // Ended leases grow without end and are asked for by their owner only.
  const open = db.schema.createIndex('repository_leases_open').on('repository_leases').columns(['repository_id', 'id']);
  await open.where(sql.ref('ended_at'), 'is', null).execute();
  // One at a time, whoever tries to start the second.
  const running = db.schema.createIndex('maintenance_one_running').unique().on('maintenance_records');
  await running.columns(['repository_id']).where(sql.ref('status'), '=', sql.lit('running')).execute();
}

export async function up(db: AnyDb): Promise<void> {
  await addColumns(db);
  await createRepositories(db);
  await createUse(db);
  await createMaintenance(db);
  await createIndexes(db);
}
