/** What a parameter file for binary logs says beside storage and encryption. */
import { createHash } from 'node:crypto';
import { hostname } from 'node:os';
import { AppError } from '@backupx/contracts/errors';
import { z } from 'zod';
import { type ConnectionConfig, TLS_MODES } from '../sources/mysql/settings.ts';

const port = z.coerce.number().int().min(1).max(65_535);

/** Keys of the file. */
export const binlogShape = {
  host: z.string().default('127.0.0.1'),
  port: port.default(3306),
  socket: z.string().default(''),
  user: z.string().min(1).default('root'),
  password: z.string().default(''),
  tls_mode: z.enum(TLS_MODES).default('preferred'),
  tls_ca: z.string().default(''),
  tool_folder: z.string().default(''),
  spool_folder: z.string().startsWith('/', 'must be an absolute path'),
  spool_limit_bytes: z.coerce
    .number()
    .int()
    .min(2 ** 20)
    .default(4 * 2 ** 30),
  time_limit_seconds: z.coerce.number().int().min(1).max(86_400).default(300),
  replica_id: z.coerce.number().int().min(1).max(4_294_967_295).optional(),
  partial_interval_seconds: z.coerce.number().int().min(1).max(86_400).default(60),
  target_host: z.string().optional(),
  target_port: port.optional(),
  target_socket: z.string().optional(),
  target_user: z.string().optional(),
  target_password: z.string().optional(),
};
export type BinlogSettings = z.output<z.ZodObject<typeof binlogShape>>;

/** Keys that only the owner of their file may read. */
export const BINLOG_SECRETS = ['password', 'target_password'] as const;

/** The server whose logs are followed. */
export function sourceConnection(settings: BinlogSettings): ConnectionConfig {
  return connection(settings, {
    dbHost: settings.host,
    dbPort: settings.port,
    dbSocket: settings.socket,
    dbUser: settings.user,
    dbPassword: settings.password,
  });
}

/** The server logs are replayed into: that of the logs, unless another is named. Its password goes to no other. */
export function targetConnection(settings: BinlogSettings): ConnectionConfig {
  const isOther = settings.target_host !== undefined || settings.target_socket !== undefined;
  const source = sourceConnection(settings);
  return connection(settings, {
    dbHost: settings.target_host ?? source.dbHost,
    dbPort: settings.target_port ?? source.dbPort,
    dbSocket: settings.target_socket ?? (isOther ? '' : source.dbSocket),
    dbUser: settings.target_user ?? source.dbUser,
    dbPassword: settings.target_password ?? (isOther ? '' : source.dbPassword),
  });
}

type Login = Pick<ConnectionConfig, 'dbHost' | 'dbPort' | 'dbSocket' | 'dbUser' | 'dbPassword'>;

function connection(settings: BinlogSettings, login: Login): ConnectionConfig {
  if (/[\r\n\0]/.test(login.dbPassword)) {
    throw new AppError('CONFIG_INVALID', { problems: 'password: must not hold a line break' });
  }
  const tls = { tlsMode: settings.tls_mode, tlsCa: settings.tls_ca, tlsCertificate: '', tlsKey: '' };
  return { ...login, ...tls, toolFolder: settings.tool_folder };
}

/** A number no other replica of the server has: two of the same push each other out. */
export function replicaIdOf(settings: BinlogSettings): number {
  if (settings.replica_id !== undefined) return settings.replica_id;
  const hash = createHash('sha256').update(`${hostname()}\0${settings.spool_folder}`).digest();
  return 2 ** 31 + (hash.readUInt32LE() % 2 ** 31);
}
