/** What a user may set for a PostgreSQL task and for a restore, with its checks. */
import { z } from 'zod';

/** libpq's names. `prefer` is said aloud when the connection turns out not to be encrypted. */
const TLS_MODES = ['prefer', 'disable', 'require', 'verify-ca', 'verify-full'] as const;

/** A line of a password file ends at a line feed, and nothing can escape one. */
const password = z
  .string()
  .refine((value) => !/[\r\n\0]/.test(value), 'The password must not hold a line break or a zero byte.');
const text = z.string().refine((value) => !value.includes('\0'), 'A zero byte is not allowed.');
const port = z.number().int().min(1).max(65_535);
const names = z.array(text).default([]);

const host = text.meta({
  label: 'Host or folder of the socket',
  help: 'A name or address, or the folder of a socket such as /var/run/postgresql.',
  placeholder: 'localhost',
});
const certificate = text.meta({
  label: 'Certificate of the authority',
  help: 'PEM text. Left empty, the authorities of the machine count.',
  multiline: true,
  advanced: true,
});
const tls = {
  label: 'TLS',
  help: 'verify-full checks the certificate and its name; prefer also works without encryption, and says so in the log.',
};

/** How a server is reached; shared by dumps and physical backups. */
export const serverShape = {
  dbHost: host.default('localhost'),
  dbPort: port.default(5432).meta({ label: 'Port' }),
  dbUser: text.pipe(z.string().min(1)).default('postgres').meta({ label: 'User' }),
  dbPassword: password.default('').meta({ label: 'Password', secret: true }),
  tlsMode: z.enum(TLS_MODES).default('prefer').meta(tls),
  tlsCa: certificate.default(''),
  tlsCertificate: text.default('').meta({
    label: 'Certificate of the client',
    help: 'PEM text, for servers that ask for one.',
    multiline: true,
    advanced: true,
  }),
  tlsKey: text.default('').meta({ label: 'Key of the client', multiline: true, secret: true, advanced: true }),
  systemUser: text.default('').meta({
    label: 'Run programs as',
    help: 'User of the machine that runs the task, for logins by name over a socket (peer). Needs root.',
    placeholder: 'postgres',
    advanced: true,
  }),
  maintenanceDatabase: text.default('postgres').meta({
    label: 'Database to connect to first',
    help: 'Where the list of databases is read.',
    advanced: true,
  }),
  toolFolder: text.default('').meta({
    label: 'Folder of programs',
    help: 'Where pg_dump and psql are, when it is none of the usual places.',
    placeholder: '/opt/postgresql/17/bin',
    advanced: true,
  }),
};

/** Settings of a task. */
export const configSchema = z.object({
  ...serverShape,
  databases: names.meta({
    label: 'Databases',
    help: 'Empty: all of them, new ones too.',
    placeholder: 'shop',
  }),
  excludeDatabases: names.meta({
    label: 'Leave out databases',
    help: 'Names; * stands for any characters, ? for one.',
    placeholder: 'test_*',
  }),
  includeGlobals: z.boolean().default(true).meta({
    label: 'Roles and other globals',
    help: 'Roles, their passwords, memberships and tablespaces, in globals.sql.',
  }),
  format: z.enum(['custom', 'directory']).default('custom').meta({
    label: 'Format of the dumps',
    help: 'custom streams, one file per database; directory reads several tables at once, and passes through the folder for temporary files.',
    advanced: true,
  }),
  parallelJobs: z.number().int().min(1).max(64).default(1).meta({
    label: 'Tables at once',
    help: 'For the directory format. Each is a connection to the server beside two others.',
    advanced: true,
  }),
  schemas: names.meta({
    label: 'Only these schemas',
    help: 'Patterns of pg_dump, in every database.',
    placeholder: 'sales*',
    advanced: true,
  }),
  excludeSchemas: names.meta({ label: 'Leave out schemas', placeholder: 'scratch', advanced: true }),
  tables: names.meta({ label: 'Only these tables', placeholder: 'public.orders', advanced: true }),
  excludeTables: names.meta({ label: 'Leave out tables', placeholder: 'public.cache_*', advanced: true }),
  excludeTableData: names.meta({
    label: 'Tables without their rows',
    help: 'They come back empty.',
    placeholder: 'public.sessions',
    advanced: true,
  }),
});
export type PostgresqlConfig = z.output<typeof configSchema>;

const rename = z
  .array(text.refine((line) => /^.+=.+$/.test(line), 'Write old=new.'))
  .default([])
  .meta({ label: 'New names', help: 'One line per database: old=new.', placeholder: 'shop=shop_copy' });

/** Settings of a restore. A host makes it another server, which shares nothing with that of the task. */
export const restoreSchema = z.object({
  dbHost: host.default('').meta({
    label: 'Another server',
    help: 'Empty: the server of the task.',
    placeholder: 'db2.example.com',
  }),
  dbPort: serverShape.dbPort,
  dbUser: serverShape.dbUser,
  dbPassword: serverShape.dbPassword,
  tlsMode: serverShape.tlsMode,
  tlsCa: serverShape.tlsCa,
  tlsCertificate: serverShape.tlsCertificate,
  tlsKey: serverShape.tlsKey,
  systemUser: serverShape.systemUser,
  maintenanceDatabase: serverShape.maintenanceDatabase,
  toolFolder: serverShape.toolFolder,
  rename,
  schemas: names.meta({
    label: 'Only these schemas',
    help: 'Exact names. Into a database that exists they are put beside what it has.',
    placeholder: 'sales',
  }),
  tables: names.meta({
    label: 'Only these tables',
    help: 'Exact names with their schema; with their indexes, constraints and triggers.',
    placeholder: 'public.orders',
  }),
  owners: z.enum(['keep', 'ignore']).default('keep').meta({
    label: 'Owners',
    help: 'ignore: everything belongs to the user of the restore, and roles that are missing do not matter.',
  }),
  privileges: z.enum(['keep', 'ignore']).default('keep').meta({ label: 'Privileges', help: 'GRANT and REVOKE.' }),
  restoreGlobals: z.boolean().default(false).meta({
    label: 'Create missing roles',
    help: 'With passwords and memberships as saved. Roles that exist are left as they are.',
  }),
  replaceExisting: z.boolean().default(false).meta({
    label: 'Replace what exists',
    help: 'Databases (or the chosen tables) that exist already. Until the restored ones are whole, they stay.',
  }),
  endSessions: z.boolean().default(false).meta({
    label: 'End the sessions of others',
    help: 'A database that is replaced must not be in use.',
  }),
  acceptOtherVersion: z.boolean().default(false).meta({
    label: 'Accept another version',
    help: 'Off: the restore stops when the server is of an older or newer major version than the one that was saved.',
  }),
  parallelJobs: z.number().int().min(1).max(64).default(1).meta({
    label: 'Parallel jobs',
    help: 'More than one needs room for the whole dump in the folder for temporary files, as a dump in the directory format does in any case.',
    advanced: true,
  }),
  singleTransaction: z.boolean().default(false).meta({
    label: 'In one transaction',
    help: 'Not together with parallel jobs.',
    advanced: true,
  }),
});
export type RestoreOptions = z.output<typeof restoreSchema>;

/** What a connection is made from. */
export type ServerSettings = Pick<PostgresqlConfig, keyof typeof serverShape>;

/** The server of a restore or a verification. */
export function serverOfRestore(config: ServerSettings, options: RestoreOptions): ServerSettings {
  return options.dbHost === '' ? config : options;
}

/** The name to restore a database under, by the `old=new` lines; both may hold `=`, so the old one must be known. */
export function newNameOf(name: string, rename: readonly string[]): string {
  const line = rename.find((item) => item.startsWith(`${name}=`));
  return line === undefined ? name : line.slice(name.length + 1);
}

/** True when `name` fits one of the patterns (`*`, `?`; everything else is itself). */
export function matchesAny(name: string, patterns: readonly string[]): boolean {
  return patterns.some((pattern) => {
    const source = pattern
      .replace(/[.+^${}()|[\]\\]/g, '\\$&')
      .replaceAll('*', '.*')
      .replaceAll('?', '.');
    return new RegExp(`^${source}$`, 's').test(name);
  });
}
