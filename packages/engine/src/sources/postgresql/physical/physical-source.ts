/**
 * The source of whole PostgreSQL servers: the files of their data directory, by pg_basebackup, each as an entry of its
 * own, so that a repository adds only what changed; with the WAL that makes them one moment.
 *
 * - `read-cluster.ts` → `base-backup.ts` → `tar-members.ts` read; nothing is written to a disk of this machine on the
 *   way, unless the server has tablespaces.
 * - `backup-manifest.ts` is the server's own list of files, which every backup, restore and verification is held against.
 * - `cluster-restore.ts` restores into a data directory, up to a point in time with an archive of WAL.
 */
import { defineSource } from '../../../ports/source.ts';
import { ROOT } from './entry-paths.ts';
import { readCluster } from './read-lazily.ts';
import { configSchema, restoreSchema } from './settings.ts';

export const postgresqlPhysicalSource = defineSource({
  type: 'postgresql-physical',
  title: 'PostgreSQL, whole server (physical)',
  config: configSchema,
  restoreConfig: restoreSchema,
  verify: 'restore',
  snapshotPaths: () => [ROOT],
  entries: readCluster,
  // Halves that a thread that backs up does without.
  restore: async (config, context) => (await import('./restore-session.ts')).openRestoreSession(config, context),
  inspect: async (config, context) => (await import('./inspect-cluster.ts')).inspectCluster(config, context),
  inspectTarget: async (_config, context) => (await import('./inspect-target.ts')).inspectTarget(context),
  openVerifier: async (config, context) => (await import('./cluster-verifier.ts')).openVerifier(config, context),
});
