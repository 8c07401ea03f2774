/** What a user may set for a MongoDB task and for a restore, with its checks. */
import { z } from 'zod';
import { parseConnectionString } from './connection-string.ts';

/** `require` encrypts without checking who answers: MongoDB's own programs know no steps in between. */
const TLS_MODES = ['disable', 'require', 'verify-full'] as const;
const READ_PREFERENCES = ['primary', 'primaryPreferred', 'secondary', 'secondaryPreferred', 'nearest'] as const;
const PROGRAMS = ['auto', 'tools', 'native'] as const;

const oneLine = z.string().refine((text) => !/[\r\n\0]/.test(text), 'It must not hold a line break or a zero byte.');
const password = z.string().refine((text) => !text.includes('\0'), 'A zero byte is not allowed.');
const port = z.number().int().min(1).max(65_535);
const names = z.array(oneLine).default([]);

/** Without a password, so that it can be shown, and a stored password goes to no other server. */
const connectionString = oneLine
  .refine((text) => text === '' || parseConnectionString(text) !== null, 'Write mongodb://… or mongodb+srv://…')
  .refine((text) => !parseConnectionString(text)?.hasPassword, 'The password has a field of its own.');

const uri = {
  label: 'Connection string',
  help: 'mongodb:// or mongodb+srv://; when set, host and port are not used. The password stands below.',
  placeholder: 'mongodb+srv://cluster.example.com/?authSource=admin',
  advanced: true,
};

const serverShape = {
  uri: connectionString.default('').meta(uri),
  dbHost: oneLine.default('127.0.0.1').meta({
    label: 'Host',
    help: 'Several members of a replica set stand between commas, each with its port after a colon if it is another one.',
    placeholder: 'db.example.com',
  }),
  dbPort: port.default(27_017).meta({ label: 'Port' }),
  dbUser: oneLine.default('').meta({ label: 'User', help: 'Empty: no login.' }),
  dbPassword: password.default('').meta({ label: 'Password', secret: true }),
  authSource: oneLine.default('').meta({
    label: 'Database of the user',
    help: 'Where the user was made; empty: admin.',
    placeholder: 'admin',
    advanced: true,
  }),
  replicaSet: oneLine.default('').meta({
    label: 'Replica set',
    help: 'Its name; then its other members are found by themselves. Empty: only the host above is asked.',
    placeholder: 'rs0',
    advanced: true,
  }),
  readPreference: z.enum(READ_PREFERENCES).default('primary').meta({
    label: 'Read from',
    help: 'Which member of a replica set is read.',
    advanced: true,
  }),
  tlsMode: z.enum(TLS_MODES).default('disable').meta({
    label: 'TLS',
    help: 'require encrypts without checking who answers; verify-full checks the certificate and its name.',
  }),
  tlsCa: password.default('').meta({
    label: 'Certificate of the authority',
    help: 'PEM text. Left empty, the authorities of the machine count.',
    multiline: true,
    advanced: true,
  }),
  tlsCertificate: password.default('').meta({
    label: 'Certificate of the client',
    help: 'PEM text, for servers that ask for one.',
    multiline: true,
    advanced: true,
  }),
  tlsKey: password.default('').meta({
    label: 'Key of the client',
    help: 'PEM text.',
    multiline: true,
    secret: true,
    advanced: true,
  }),
  program: z.enum(PROGRAMS).default('auto').meta({
    label: 'Program',
    help: 'auto: mongodump and mongorestore where they are installed, else BackupX itself. Both write the same format.',
    advanced: true,
  }),
  toolFolder: oneLine.default('').meta({
    label: 'Folder of programs',
    help: 'Where mongodump and mongorestore are, when it is none of the usual places.',
    placeholder: '/opt/mongodb-database-tools/bin',
    advanced: true,
  }),
};

/** Settings of a task. */
export const configSchema = z.object({
  ...serverShape,
  databases: names.meta({
    label: 'Databases',
    help: 'Empty: all that are there when the task runs, new ones too.',
    placeholder: 'shop',
  }),
  excludeDatabases: names.meta({
    label: 'Leave out databases',
    help: 'Names; * stands for any characters, ? for one.',
    placeholder: 'test_*',
  }),
  withUsers: z.boolean().default(true).meta({
    label: 'Users and roles',
    help: 'Stored beside the databases, where the user may read them.',
    advanced: true,
  }),
  oplog: z.boolean().default(false).meta({
    label: 'One moment for the whole server',
    help: 'All databases in one dump, with the operations log (--oplog). For replica sets, with mongodump, without a choice of databases.',
    advanced: true,
  }),
});
export type MongodbConfig = z.output<typeof configSchema>;
export type ConnectionConfig = Pick<MongodbConfig, keyof typeof serverShape>;

/** Settings of a restore. A host or connection string makes it another server, which shares nothing with the task's. */
export const restoreSchema = z.object({
  ...serverShape,
  dbHost: oneLine.default('').meta({ label: 'Another server', help: 'Empty: the server of the task.' }),
  rename: z
    .array(oneLine.refine((line) => line.trim() === '' || /^(?:[^=\\]|\\.)+=.+$/.test(line), 'Write old=new.'))
    .default([])
    .meta({
      label: 'New names',
      help: 'One per line: old=new. What is not named keeps its name.',
      placeholder: 'shop=shop_copy',
    }),
  collections: names.meta({
    label: 'Only these collections',
    help: 'Names without the database; others stay as they are. Empty: whole databases.',
    placeholder: 'orders',
    advanced: true,
  }),
  replaceExisting: z.boolean().default(false).meta({
    label: 'Replace what exists',
    help: 'Off: the restore stops when a database of that name is there and not empty.',
  }),
  endSessions: z.boolean().default(false).meta({
    label: 'End operations',
    help: 'Ends what others do in a database that is replaced, at that moment. Off: the restore stops and lists it.',
  }),
  acceptOtherVersion: z.boolean().default(false).meta({
    label: 'Accept another version',
    help: 'Off: the restore stops when the server is of an older or newer series than the one that was saved.',
  }),
  restoreUsers: z.boolean().default(false).meta({
    label: 'Users and roles',
    help: 'Makes the users and roles that are missing; those that exist stay as they are.',
    advanced: true,
  }),
});
export type MongodbRestoreOptions = z.output<typeof restoreSchema>;

/** Where a restore goes. Program and folder count for both, since they are of the machine. */
export function restoreConnection(config: ConnectionConfig, options: MongodbRestoreOptions): ConnectionConfig {
  const toolFolder = options.toolFolder || config.toolFolder;
  const program = options.program === 'auto' ? config.program : options.program;
  if (isAnotherServer(options)) return { ...options, dbHost: options.dbHost || '127.0.0.1', toolFolder, program };
  const login = options.dbUser === '' ? {} : { dbUser: options.dbUser, dbPassword: options.dbPassword };
  // A dump is read where it is convenient, and written where writing is possible.
  return { ...config, ...login, readPreference: 'primary', toolFolder, program };
}

export const isAnotherServer = ({ dbHost, uri }: MongodbRestoreOptions): boolean => dbHost !== '' || uri !== '';
