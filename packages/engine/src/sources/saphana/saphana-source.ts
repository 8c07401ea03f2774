/**
 * The source of SAP HANA: data backups that HANA makes itself, asked for through hdbsql with a key of hdbuserstore, so no
 * password ever comes here. Into files that are taken from a folder of the host, or through a Backint agent.
 *
 * - A backup counts when M_BACKUP_CATALOG says so and its files are there; what hdbsql answers alone proves nothing.
 * - A restore brings the files back, with a guide for each database: only HANA itself can recover from them.
 */
import { join } from 'node:path';
import { AppError } from '@backupx/contracts/errors';
import { defineSource } from '../../ports/source.ts';
import { hanaConfigSchema } from './config.ts';
import { ROOT } from './entry-paths.ts';
import { readHana } from './read-lazily.ts';

export const hanaSource = defineSource({
  type: 'saphana',
  title: 'SAP HANA',
  config: hanaConfigSchema,
  verify: 'structure',
  snapshotPaths: () => [ROOT],
  entries: readHana,
  async restore(config, context) {
    const target = context.targetPath ?? (config.backupFolder && join(config.backupFolder, 'backupx-restored'));
    if (!target) throw new AppError('RESTORE_TARGET_INVALID', { path: '', reason: 'choose a folder for the files' });
    return new (await import('./restore-files.ts')).FileRestore(target, context);
  },
  inspect: async (config, context) => await (await import('./inspect-server.ts')).inspectServer(config, context),
  inspectTarget: async (config, context) => await (await import('./inspect-target.ts')).inspectTarget(config, context),
  openVerifier: async () => (await import('./verifier.ts')).openHanaVerifier(),
});
