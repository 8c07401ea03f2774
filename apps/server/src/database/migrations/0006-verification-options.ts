/** The server a verification restores into; `../tables.ts` explains the columns. */
import type { AnyDb } from './make-table.ts';

export async function up(db: AnyDb): Promise<void> {
  for (const [column, first] of [
    ['options', '{}'],
    ['options_sealed', ''],
  ] as const) {
    await db.schema
      .alterTable('verify_records')
      .addColumn(column, 'text', (definition) => definition.notNull().defaultTo(first))
      .execute();
  }
}
