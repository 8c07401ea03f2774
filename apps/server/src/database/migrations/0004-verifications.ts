/** Verifications of records; `../tables.ts` explains the columns. */
import { sql } from 'kysely';
import { type AnyDb, makeTable } from './make-table.ts';

const columns = {
  record_id: 'int',
  task_id: 'int',
  task_name: 'text',
  node_id: 'int',
  mode: 'text',
  trigger: 'text',
  status: 'text',
  repository_id: 'int',
  checks: 'text',
  summary: 'text',
  item_count: 'big',
  source_bytes: 'big',
  stored_bytes: 'big',
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
};

const newTexts: readonly [table: string, column: string, first: string][] = [
  ['records', 'verified_status', ''],
  ['records', 'verified_mode', ''],
  ['tasks', 'verify_cron_expr', ''],
  ['tasks', 'verify_mode', 'quick'],
];

export async function up(db: AnyDb): Promise<void> {
  await makeTable(db, 'verify_records', { id: true }, columns).execute();
  for (const [table, column, first] of newTexts) {
    await db.schema
      .alterTable(table)
      .addColumn(column, 'text', (definition) => definition.notNull().defaultTo(first))
      .execute();
  }
  await db.schema.alterTable('records').addColumn('verified_at', 'text').execute();
  await db.schema.alterTable('tasks').addColumn('next_verify_at', 'text').execute();
  await db.schema
    .alterTable('tasks')
    .addColumn('verify_enabled', 'integer', (definition) => definition.notNull().defaultTo(0))
    .execute();
  await db.schema.alterTable('commands').addColumn('verify_record_id', 'integer').execute();
  for (const [name, on, of] of [
    ['verify_records_record', 'verify_records', ['record_id', 'id']],
    ['verify_records_task', 'verify_records', ['task_id', 'id']],
    ['verify_records_status', 'verify_records', ['status', 'id']],
    ['commands_verify', 'commands', ['verify_record_id']],
    ['tasks_next_verify', 'tasks', ['next_verify_at']],
  ] as const) {
    await db.schema
      .createIndex(name)
      .on(on)
      .columns([...of])
      .execute();
  }
  // Most records never are.
  const verified = db.schema.createIndex('records_verified').on('records').columns(['task_id', 'id']);
  await verified.where(sql.ref('verified_at'), 'is not', null).execute();
  // One at a time per record, whoever tries to start the second.
  const running = db.schema.createIndex('verify_one_running').unique().on('verify_records');
  await running.columns(['record_id']).where(sql.ref('status'), '=', sql.lit('running')).execute();
}
