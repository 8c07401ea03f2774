/**
 * The source of SQLite databases: files found by path or pattern, each copied consistently while others write to it
 * (`copy-database.ts`), checked, and stored under its own path below `/sqlite` with owner, rights and time.
 *
 * - Databases are opened for reading, and only when they exist; opening a missing one would make an empty one.
 * - A restore writes beside the place, checks, and swaps; it refuses while a program has the database open.
 * - The copy has the pages of the original in their places, so the next one adds little to a repository.
 */
import { defineSource } from '../../ports/source.ts';
import { sqliteConfigSchema, sqliteRestoreSchema } from './config.ts';
import { ROOT } from './entry-paths.ts';
import { readDatabases } from './read-lazily.ts';

export const sqliteSource = defineSource({
  type: 'sqlite',
  title: 'SQLite',
  config: sqliteConfigSchema,
  restoreConfig: sqliteRestoreSchema,
  verify: 'restore',
  snapshotPaths: () => [ROOT],
  entries: readDatabases,
  restore: async (_config, context) => (await import('./restore-session.ts')).openRestoreSession(context),
  inspect: async (config) => (await import('./inspect-databases.ts')).inspectDatabases(config),
  inspectTarget: async (_config, context) => (await import('./inspect-target.ts')).inspectTarget(context),
  targetSettings: async (config, _options, databases) => ({
    ...config,
    databases: [...databases],
    excludeDatabases: [],
  }),
  openVerifier: async (_config, context) => (await import('./verifier.ts')).openSqliteVerifier(context),
});
