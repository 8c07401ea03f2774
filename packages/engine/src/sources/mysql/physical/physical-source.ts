/**
 * A whole server of MySQL or MariaDB as its files, copied while it runs by mariadb-backup or xtrabackup.
 *
 * - Layout: `/mysql-physical/data/…` every file, `/mysql-physical/files.txt` their checksums, `/mysql-physical/inventory.json`.
 * - The stream of the program is taken apart into its files (`read-chunks.ts`, `take-apart.ts`), each checked on the way, so
 *   that a repository stores only what changed. It counts as whole when every file has ended and the program says so.
 * - A restore makes the files ready beside their place and puts them there when all is good (`staged-data.ts`).
 */
import { defineSource } from '../../../ports/source.ts';
import { ROOT } from './paths.ts';
import { physicalConfigSchema, physicalRestoreSchema } from './physical-settings.ts';
import { physicalFolders, readServer } from './read-lazily.ts';

export const mysqlPhysicalSource = defineSource({
  type: 'mysql-physical',
  title: 'MySQL / MariaDB, whole server (physical)',
  config: physicalConfigSchema,
  restoreConfig: physicalRestoreSchema,
  verify: 'restore',
  entries: readServer,
  ancestors: physicalFolders,
  snapshotPaths: () => [ROOT],
  // What follows is not needed by a thread that backs up.
  async restore(config, context) {
    if (context.targetPath !== null) {
      const { FolderRestore } = await import('../../../ports/folder-restore.ts');
      return new FolderRestore(context.targetPath, context, (await import('../path-below.ts')).pathBelow);
    }
    return await (await import('./restore-data.ts')).openDataRestore(config, context);
  },
  inspect: async (config, context) => (await import('./inspect-server.ts')).inspectPhysical(config, context),
  inspectTarget: async (config, context) => (await import('./inspect-target.ts')).inspectTarget(config, context),
  openVerifier: async (config, context) => (await import('./verify-physical.ts')).openPhysicalVerifier(config, context),
});
