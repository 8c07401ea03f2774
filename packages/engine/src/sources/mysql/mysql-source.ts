/**
 * Databases of MySQL and MariaDB, each as the dump its own program makes, with a list of what is in it.
 *
 * - Layout: `/mysql/<database>/dump.sql`, `/mysql/<database>/inventory.json`, `/mysql/grants.sql`.
 * - A dump is looked through while it passes (`dump-scanner.ts`): it counts as whole when it holds all the server had,
 *   ends with the line that ends dumps, and the program ended well. Equal data gives equal bytes.
 * - A restore proves everything in a scratch database before anything that exists is touched (`restore-session.ts`).
 */
import { defineSource } from '../../ports/source.ts';
import { readDatabases } from './read-lazily.ts';
import { configSchema, restoreSchema } from './settings.ts';

export const mysqlSource = defineSource({
  type: 'mysql',
  title: 'MySQL / MariaDB',
  config: configSchema,
  restoreConfig: restoreSchema,
  verify: 'restore',
  entries: readDatabases,
  snapshotPaths: () => ['/mysql'],
  // What follows is not needed by a thread that backs up.
  async restore(config, context) {
    if (context.targetPath !== null) {
      const { FolderRestore } = await import('../../ports/folder-restore.ts');
      return new FolderRestore(context.targetPath, context, (await import('./path-below.ts')).pathBelow);
    }
    if (context.isDryRun) return await (await import('./restore-preview.ts')).openRestorePreview(config, context);
    return await (await import('./restore-session.ts')).openServerRestore(config, context);
  },
  inspect: async (config, context) => (await import('./inspect.ts')).inspectServer(config, context),
  inspectTarget: async (config, context) => (await import('./inspect-target.ts')).inspectTarget(config, context),
  savedServer: async (entry) => (await import('./saved-server.ts')).savedServer(entry),
  targetSettings: async (config, options, databases) =>
    (await import('./inspect-target.ts')).targetSettings(config, options, databases),
  verifiesOnServer: true,
  openVerifier: async (config, context) => (await import('./verifier.ts')).openMysqlVerifier(config, context),
});
