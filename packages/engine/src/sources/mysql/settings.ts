import { z } from 'zod';

/** How a connection is protected, as both flavours' programs can be told. */
export const TLS_MODES = ['disabled', 'preferred', 'required', 'verify-ca', 'verify-full'] as const;
export type TlsMode = (typeof TLS_MODES)[number];

/** Text that fits in a line of an option file. */
export const oneLine = z
  .string()
  .refine((text) => !/[\r\n\0]/.test(text), 'It must not hold a line break or a zero byte.');
const password = oneLine.max(1000);

/** How a server is reached. */
export const connectionFields = {
  dbHost: oneLine.default('127.0.0.1').meta({ label: 'Host', placeholder: 'db.example.com' }),
  dbPort: z.number().int().min(1).max(65535).default(3306).meta({ label: 'Port' }),
  dbSocket: oneLine.default('').meta({
    label: 'Socket',
    help: 'Absolute path; when set, host and port are not used.',
    placeholder: '/run/mysqld/mysqld.sock',
    advanced: true,
  }),
  dbUser: oneLine.min(1).default('root').meta({ label: 'User' }),
  dbPassword: password.default('').meta({ label: 'Password', secret: true }),
  tlsMode: z.enum(TLS_MODES).default('preferred').meta({
    label: 'TLS',
    help: 'verify-full also checks the name in the certificate.',
    advanced: true,
  }),
  tlsCa: z.string().default('').meta({
    label: 'CA certificate',
    help: 'PEM text of the authority that signed the certificate of the server; empty: those the machine trusts.',
    advanced: true,
    multiline: true,
  }),
  tlsCertificate: z.string().default('').meta({
    label: 'Client certificate',
    help: 'PEM text; only where the server asks for one.',
    advanced: true,
    multiline: true,
  }),
  tlsKey: z.string().default('').meta({
    label: 'Key of the client certificate',
    help: 'PEM text.',
    secret: true,
    advanced: true,
    multiline: true,
  }),
};

const toolFolder = oneLine.default('').meta({
  label: 'Folder of the programs',
  help: 'Where mariadb-dump or mysqldump lies, when it is none of the usual places.',
  placeholder: '/opt/mysql-8.4/bin',
  advanced: true,
});

/** Settings of a task. */
export const configSchema = z.object({
  ...connectionFields,
  databases: z.array(oneLine.min(1)).default([]).meta({
    label: 'Databases',
    help: 'Empty: all that are there when the task runs, new ones too.',
    placeholder: 'shop',
  }),
  excludeDatabases: z.array(oneLine).default([]).meta({
    label: 'Leave out',
    help: 'Names of databases; * and ? stand for other characters.',
    placeholder: 'test_*',
  }),
  withGrants: z.boolean().default(true).meta({
    label: 'Users and their rights',
    help: 'Stored beside the databases as SQL, where the user may read them.',
    advanced: true,
  }),
  withPosition: z.boolean().default(true).meta({
    label: 'Note the position in the binary log',
    help: 'For a restore to a point in time. On MySQL all tables are locked for a moment.',
    advanced: true,
  }),
  toolFolder,
});
export type MysqlConfig = z.output<typeof configSchema>;
export type ConnectionConfig = Pick<MysqlConfig, keyof typeof connectionFields | 'toolFolder'>;

/** Settings of a restore; the server is that of the task unless a host or socket is given. */
export const restoreSchema = z.object({
  dbHost: oneLine.default('').meta({ label: 'Host', help: 'Empty: the server of the task.' }),
  dbPort: z.number().int().min(1).max(65535).default(3306).meta({ label: 'Port' }),
  dbSocket: connectionFields.dbSocket,
  dbUser: oneLine.default('').meta({ label: 'User', help: 'Empty: that of the task.' }),
  dbPassword: password.default('').meta({ label: 'Password', help: 'Empty: that of the task.', secret: true }),
  tlsMode: connectionFields.tlsMode,
  tlsCa: connectionFields.tlsCa,
  rename: z.array(oneLine).default([]).meta({
    label: 'New names',
    help: 'One per line: old=new. What is not named keeps its name.',
    placeholder: 'shop=shop_copy',
  }),
  replaceExisting: z.boolean().default(false).meta({
    label: 'Replace what exists',
    help: 'Off: the restore stops when a database of that name is there and not empty.',
  }),
  endSessions: z.boolean().default(false).meta({
    label: 'End sessions',
    help: 'Ends the connections of others to a database that is replaced. Off: the restore stops and lists them.',
  }),
  acceptOtherVersion: z.boolean().default(false).meta({
    label: 'Accept another version',
    help: 'Off: the restore stops when the server is of an older or newer series than the one that was saved, or of the other kind.',
  }),
  definer: z.enum(['keep', 'current']).default('keep').meta({
    label: 'Definer of views, triggers, routines and events',
    help: 'current: the user of the restore, who needs no right to act for others then.',
    advanced: true,
  }),
  restoreGrants: z.boolean().default(false).meta({
    label: 'Users and their rights',
    help: 'Makes the users that are missing and grants all users their rights; nothing is taken away.',
    advanced: true,
  }),
  toolFolder,
});
export type MysqlRestoreOptions = z.output<typeof restoreSchema>;

/** Where a restore goes: the server of the task, or the one it names. */
export function restoreConnection(config: MysqlConfig, options: MysqlRestoreOptions): ConnectionConfig {
  const toolFolder = options.toolFolder || config.toolFolder;
  const login = {
    dbUser: options.dbUser || config.dbUser,
    dbPassword: options.dbPassword || config.dbPassword,
  };
  if (options.dbHost === '' && options.dbSocket === '') return { ...config, ...login, toolFolder };
  const { dbHost, dbPort, dbSocket, tlsMode, tlsCa } = options;
  return { dbHost, dbPort, dbSocket, ...login, tlsMode, tlsCa, tlsCertificate: '', tlsKey: '', toolFolder };
}
