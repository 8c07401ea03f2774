/**
 * The source of PostgreSQL servers, by logical dumps: each database in pg_dump's custom format, uncompressed and in a
 * stable order, with an inventory of the same moment beside it, and the roles of the server.
 *
 * - `read-databases.ts` → `dump-database.ts` read; `server-restore.ts` restores through scratch databases.
 * - `archive-scanner.ts` knows the format of a dump, and so whether one is whole and how many rows are in it.
 * - `server.ts`, `psql-session.ts`, `programs.ts` reach a server: always through PostgreSQL's own programs.
 */
import { defineSource } from '../../ports/source.ts';
import { ROOT } from './entry-paths.ts';
import { readDatabases } from './read-lazily.ts';
import { configSchema, restoreSchema } from './settings.ts';

export const postgresqlSource = defineSource({
  type: 'postgresql',
  title: 'PostgreSQL',
  config: configSchema,
  restoreConfig: restoreSchema,
  verify: 'restore',
  snapshotPaths: () => [ROOT],
  entries: readDatabases,
  // Halves that a thread that backs up does without.
  restore: async (config, context) => (await import('./restore-session.ts')).openRestoreSession(config, context),
  inspect: async (config, context) => (await import('./inspect-server.ts')).inspectServer(config, context),
  inspectTarget: async (config, context) => (await import('./inspect-target.ts')).inspectTarget(config, context),
  savedServer: async (entry) => (await import('./saved-server.ts')).savedServer(entry),
  targetSettings: async (config, options, databases) =>
    (await import('./inspect-target.ts')).targetSettings(config, options, databases),
  verifiesOnServer: true,
  openVerifier: async (config, context) => (await import('./verify-dumps.ts')).openVerifier(config, context),
});
