import { z } from 'zod';
import { connectionFields, oneLine } from '../settings.ts';

const dataFolder = oneLine
  .refine((path) => path === '' || path.startsWith('/'), 'It must be an absolute path.')
  .default('');

const toolFolder = oneLine.default('').meta({
  label: 'Folder of the programs',
  help: 'Where mariadb-backup or xtrabackup lies, when it is none of the usual places.',
  placeholder: '/opt/percona-xtrabackup-8.4/bin',
  advanced: true,
});

/** Settings of a task. */
export const physicalConfigSchema = z.object({
  ...connectionFields,
  dataFolder: dataFolder.meta({
    label: 'Data folder of the server',
    help: 'On the machine that runs the task. Empty: where the server says it is; for a server in a container: where that folder lies outside of it.',
    placeholder: '/var/lib/mysql',
    advanced: true,
  }),
  toolFolder,
});
export type PhysicalConfig = z.output<typeof physicalConfigSchema>;

/** Settings of a restore into a data folder. */
export const physicalRestoreSchema = z.object({
  dataFolder: dataFolder.meta({
    label: 'Data folder',
    help: 'Where the server is to find its data: a new or empty folder. Empty: the data folder of the task.',
    placeholder: '/var/lib/mysql',
  }),
  replaceExisting: z.boolean().default(false).meta({
    label: 'Replace what exists',
    help: 'For a folder that holds the data of a server, which must be stopped. Off: the restore stops.',
  }),
  keepReplaced: z.boolean().default(true).meta({
    label: 'Keep what is replaced',
    help: 'Moves it to <folder>.replaced-<time>, until you remove it. Where the folder is a file system of its own that cannot be, and it is removed.',
  }),
  owner: oneLine.default('').meta({
    label: 'Owner of the files',
    help: 'User the server runs as. Empty: the owner of the folder, or mysql for a new one; only root can choose.',
    placeholder: 'mysql',
    advanced: true,
  }),
  toolFolder,
});
export type PhysicalRestoreOptions = z.output<typeof physicalRestoreSchema>;
