/** Restores that wait for a backup of what they replace; `../tables.ts` explains the columns. */
import type { AnyDb } from './make-table.ts';

export async function up(db: AnyDb): Promise<void> {
  for (const column of ['safety_record_id', 'waits_for_safety']) {
    await db.schema
      .alterTable('restore_records')
      .addColumn(column, 'integer', (definition) => definition.notNull().defaultTo(0))
      .execute();
  }
  const index = db.schema.createIndex('restore_records_safety').on('restore_records');
  await index.columns(['safety_record_id']).execute();
}
