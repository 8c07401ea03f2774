/**
 * Databases of MongoDB, each as an archive of mongodump, with a list of what is in it.
 *
 * - Layout: `/mongodb/<database>/dump.archive`, `/mongodb/<database>/inventory.json`, `/mongodb/users.json`; with the
 *   operations log one `/mongodb/dump.archive` and `/mongodb/inventory.json` for the whole replica set.
 * - Archives are written by mongodump or, without it, by ourselves over the driver; both are looked through while they
 *   pass. A dump counts as whole when each collection ends with its checksum and it holds all the server had.
 * - A restore proves everything in collections with other names before anything that exists is touched.
 */
import { defineSource } from '../../ports/source.ts';
import { readDatabases } from './read-lazily.ts';
import { configSchema, restoreSchema } from './settings.ts';

export const mongodbSource = defineSource({
  type: 'mongodb',
  title: 'MongoDB',
  config: configSchema,
  restoreConfig: restoreSchema,
  verify: 'restore',
  entries: readDatabases,
  snapshotPaths: () => ['/mongodb'],
  // What follows is not needed by a thread that backs up.
  async restore(config, context) {
    if (context.targetPath !== null) {
      const { FolderRestore } = await import('../../ports/folder-restore.ts');
      return new FolderRestore(context.targetPath, context, (await import('./path-below.ts')).pathBelow);
    }
    if (context.isDryRun) return await (await import('./restore-preview.ts')).openRestorePreview(config, context);
    return await (await import('./restore-session.ts')).openServerRestore(config, context);
  },
  inspect: async (config, context) => (await import('./inspect-server.ts')).inspectServer(config, context),
  inspectTarget: async (config, context) => (await import('./inspect-target.ts')).inspectTarget(config, context),
  savedServer: async (entry) => (await import('./saved-server.ts')).savedServer(entry),
  targetSettings: async (config, options, databases) =>
    (await import('./inspect-target.ts')).targetSettings(config, options, databases),
  verifiesOnServer: true,
  openVerifier: async (config, context) => (await import('./verifier.ts')).openMongodbVerifier(config, context),
});
