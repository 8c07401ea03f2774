/** Names of all nodes by id, for lists that show them. */
import type { Kysely } from 'kysely';
import type { Tables } from '../database/tables.ts';

export async function nodeNames(db: Kysely<Tables>): Promise<Map<number, string>> {
  const rows = await db.selectFrom('nodes').select(['id', 'name']).execute();
  return new Map(rows.map((row) => [row.id, row.name]));
}
