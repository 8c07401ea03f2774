import { z } from 'zod';

const folder = z.string().regex(/^(\/[^\0]*)?$/, 'must be an absolute path');

/** How SAP HANA is reached, and how it backs up. */
export const hanaConfigSchema = z.object({
  userStoreKey: z
    .string()
    .trim()
    .regex(/^[A-Za-z0-9_][A-Za-z0-9_.:-]*$/, 'must be a key of hdbuserstore')
    .meta({
      label: 'Key of hdbuserstore',
      help: 'Made by "hdbuserstore SET <key> <host>:3<instance>13@SYSTEMDB <user> <password>"; it holds address, user and password.',
      placeholder: 'BACKUPX',
    }),
  systemUser: z.string().trim().default('').meta({
    label: 'Run programs as',
    help: 'User of the operating system whose key it is, usually <sid>adm; only root can. Empty: the user BackupX runs as.',
    placeholder: 'hdbadm',
  }),
  databases: z.array(z.string().min(1)).default([]).meta({
    label: 'Databases',
    help: 'SYSTEMDB and names of tenants. Empty: all, new ones too.',
  }),
  excludeDatabases: z.array(z.string().min(1)).default([]).meta({
    label: 'Leave out',
    help: 'Names that are not backed up; * stands for anything.',
    placeholder: 'TEST*',
  }),
  backupKind: z.enum(['complete', 'incremental', 'differential']).default('complete').meta({
    label: 'Kind of backup',
    help: 'Incremental and differential ones need the complete one before them for a recovery, and fail without one.',
  }),
  method: z.enum(['file', 'backint']).default('file').meta({
    label: 'Way of the data',
    help: 'file: HANA writes into the folder below, from where it is taken and removed. backint: HANA sends it through its Backint agent.',
  }),
  backupFolder: folder.default('').meta({
    label: 'Folder for backups',
    help: 'On the host of the database; HANA must be able to write there. Holds the backup of one database at a time.',
    placeholder: '/hana/backup',
  }),
  toolFolder: folder.default('').meta({
    label: 'Folder of hdbsql',
    help: 'Empty: /usr/sap/hdbclient, the folders of the instances, and the usual places.',
    advanced: true,
  }),
});
export type HanaConfig = z.output<typeof hanaConfigSchema>;
