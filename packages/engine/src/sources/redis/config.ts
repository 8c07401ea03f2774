import { z } from 'zod';

const text = z.string().refine((value) => !value.includes('\0'), 'A zero byte is not allowed.');

const tlsShape = {
  tlsMode: z.enum(['disable', 'require', 'verify-ca', 'verify-full']).default('disable').meta({
    label: 'TLS',
    help: 'require encrypts without checking who answers; verify-full checks the certificate and its name.',
  }),
  tlsCa: text.default('').meta({
    label: 'Certificate of the authority',
    help: 'PEM text. Left empty, the authorities of the machine count.',
    multiline: true,
    advanced: true,
  }),
  tlsServerName: text.default('').meta({
    label: 'Name in the certificate',
    help: 'When it is not the host above.',
    advanced: true,
  }),
  tlsCertificate: text.default('').meta({
    label: 'Certificate of the client',
    help: 'PEM text, for servers that ask for one.',
    multiline: true,
    advanced: true,
  }),
  tlsKey: text.default('').meta({ label: 'Key of the client', multiline: true, secret: true, advanced: true }),
};

const host = text.meta({
  label: 'Host or socket',
  help: 'A name or address, or the absolute path of a socket.',
  placeholder: '127.0.0.1',
});

const serverShape = {
  dbHost: host.pipe(z.string().min(1)).default('127.0.0.1'),
  dbPort: z.number().int().min(1).max(65_535).default(6379).meta({ label: 'Port' }),
  dbUser: text.default('').meta({ label: 'User', help: 'Empty: the default user, with the password alone.' }),
  dbPassword: z.string().default('').meta({ label: 'Password', secret: true }),
  ...tlsShape,
};

/** Settings of a task. */
export const redisConfigSchema = z.object(serverShape);
export type RedisConfig = z.output<typeof redisConfigSchema>;

/** Settings of a restore. A host makes it another server, which shares nothing with that of the task. */
export const redisRestoreSchema = z.object({
  dumpPath: text
    .refine((path) => path === '' || path.startsWith('/'), 'The path must be absolute.')
    .default('')
    .meta({
      label: 'File of a stopped server',
      help: 'Put the dump there instead of into a running server. With append-only files on, the server would not read it.',
      placeholder: '/var/lib/redis/dump.rdb',
    }),
  dbHost: host.default('').meta({ label: 'Another server', help: 'Empty: the server of the task.' }),
  dbPort: serverShape.dbPort,
  dbUser: serverShape.dbUser,
  dbPassword: serverShape.dbPassword,
  ...tlsShape,
  rename: z
    .array(z.string().regex(/^\s*(\d+\s*=\s*\d+)?\s*$/, 'Write old=new, both numbers.'))
    .default([])
    .meta({ label: 'Other database numbers', help: 'Lines old=new; for running servers.', placeholder: '0=5' }),
  replaceExisting: z.boolean().default(false).meta({
    label: 'Replace what exists',
    help: 'Databases (or the file) that are not empty. All keys of a replaced database go; until then they stay.',
  }),
  endSessions: z.boolean().default(false).meta({
    label: 'End sessions',
    help: 'Ends the connections of others to a database that is replaced. Off: the restore stops and lists them.',
  }),
  acceptOtherVersion: z.boolean().default(false).meta({
    label: 'Accept another version',
    help: 'Off: the restore stops when the server is of an older or newer major version than the one that was saved, or of the other kind.',
  }),
});
export type RedisRestoreOptions = z.output<typeof redisRestoreSchema>;

/** The server of a restore. */
export function serverOfRestore(config: RedisConfig, options: RedisRestoreOptions): RedisConfig {
  return options.dbHost === '' ? config : redisConfigSchema.parse(options);
}

/** The numbers databases get, by the lines `old=new`; others keep theirs. */
export function newNumbers(rename: readonly string[]): ReadonlyMap<number, number> {
  const lines = rename.filter((line) => line.trim() !== '').map((line) => line.split('='));
  return new Map(lines.map(([old, fresh]) => [Number(old), Number(fresh)]));
}

/** How people know it; for messages. */
export function nameOfServer({ dbHost, dbPort }: RedisConfig): string {
  return dbHost.startsWith('/') ? dbHost : `${dbHost}:${dbPort}`;
}
