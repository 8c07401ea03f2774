/** Runs the numbered migrations, forward only. */
import { AppError } from '@backupx/contracts/errors';
import type { Kysely } from 'kysely';
import { type Migration, Migrator } from 'kysely/migration';
import { up as createFirstTables } from './migrations/0001-first-tables.ts';
import { up as addRepositories } from './migrations/0002-repositories.ts';
import { up as addRestoreOptions } from './migrations/0003-restore-options.ts';
import { up as addVerifications } from './migrations/0004-verifications.ts';
import { up as addSafetyBackups } from './migrations/0005-safety-backups.ts';
import { up as addVerificationOptions } from './migrations/0006-verification-options.ts';
import type { Tables } from './tables.ts';

/** In order. A released migration is never edited; a mistake is corrected by the next one. */
const migrations: Readonly<Record<string, Migration>> = {
  '0001-first-tables': { up: createFirstTables },
  '0002-repositories': { up: addRepositories },
  '0003-restore-options': { up: addRestoreOptions },
  '0004-verifications': { up: addVerifications },
  '0005-safety-backups': { up: addSafetyBackups },
  '0006-verification-options': { up: addVerificationOptions },
};

/** Applies what is missing; each migration is one transaction. */
export async function migrateToLatest(db: Kysely<Tables>): Promise<void> {
  const migrator = new Migrator({ db, provider: { getMigrations: async () => ({ ...migrations }) } });
  await refuseNewer(db);
  const { error } = await migrator.migrateToLatest();
  if (!error) return;
  if (error instanceof AppError) throw error;
  const reason = error instanceof Error ? error.message : String(error);
  throw new AppError('CONFIG_INVALID', { problems: `the database schema: ${reason}` }, { cause: error });
}

/** A schema this program does not know must not be written to: going back to an older version needs an old copy. */
async function refuseNewer(db: Kysely<Tables>): Promise<void> {
  const tables = await db.introspection.getTables({ withInternalKyselyTables: true });
  if (!tables.some((table) => table.name === 'kysely_migration')) return;
  const rows = await (db as unknown as Kysely<{ kysely_migration: { name: string } }>)
    .selectFrom('kysely_migration')
    .select('name')
    .orderBy('name')
    .execute();
  const unknown = rows.map((row) => row.name).filter((name) => !Object.hasOwn(migrations, name));
  if (unknown.length === 0) return;
  throw new AppError('CONFIG_INVALID', {
    problems:
      `the database was written by a newer version of BackupX (it has ${unknown.join(', ')}); ` +
      'install that version or newer, or restore a copy of the database from before the update',
  });
}
