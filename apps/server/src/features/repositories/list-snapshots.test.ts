import { CompiledQuery } from 'kysely';
import { expect, it } from 'vitest';
import { createTestDatabase } from '../../database/test-database.ts';
import { recordsInRepositoryQuery } from './list-snapshots.ts';

it('finds the records of one repository without looking at those of others, or at one lease twice', async () => {
  const { db, close } = await createTestDatabase();
  const { sql, parameters } = recordsInRepositoryQuery(db, 1).compile();
  const { rows } = await db.executeQuery<{ detail: string }>(
    CompiledQuery.raw(`explain query plan ${sql}`, [...parameters]),
  );
  const plan = rows.map((row) => row.detail).join('\n');
  expect(plan).toContain('repository_leases_repository');
  expect(plan).toContain('SEARCH records USING INTEGER PRIMARY KEY');
  expect(plan).not.toContain('CORRELATED');
  await close();
});
