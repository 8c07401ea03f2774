/**
 * The one schema of the server's configuration: names, defaults, units, secrets. `load-config.ts` reads the sources;
 * `docs/config.md` is made from `configKeys`. What an administrator edits at run time is a setting, never config.
 */

import { parseBytesPerSecond, parseDurationMs, parseDurationOrZero } from '@backupx/contracts/parse-units';
import { z } from 'zod';

export interface ConfigKey {
  /** Dotted, as in the YAML file. */
  readonly name: string;
  readonly env: string;
  /** May also come from a file named by `<env>_FILE`. */
  readonly secret: boolean;
  readonly help: string;
  readonly schema: z.ZodType;
}

interface KeyOptions {
  readonly secret?: boolean;
}

function key(name: string, schema: z.ZodType, help: string, options: KeyOptions = {}): ConfigKey {
  const env = `BACKUPX_${name.replace('.', '_').toUpperCase()}`;
  return { name, env, secret: options.secret ?? false, help, schema };
}

/** Text from the environment or YAML that a parser turns into a number; its error becomes the problem. */
function parsed(parse: (text: string) => number | null, what: string, fallback: string) {
  return z
    .union([z.string(), z.number()])
    .default(fallback)
    .transform((value, context) => {
      const result = parse(String(value));
      if (result !== null) return result;
      context.addIssue({ code: 'custom', message: `must be ${what}` });
      return z.NEVER;
    });
}

const flagList = z
  .union([z.array(z.string()), z.string()])
  .default([])
  .transform((value) => (typeof value === 'string' ? value.split(/[,\s]+/) : value).filter(Boolean));

const webAddress = z
  .string()
  .default('')
  .refine((value) => value === '' || /^https?:\/\/[^/]/.test(value), 'must start with http:// or https://')
  .transform((value) => value.replace(/\/+$/, ''));

export const configKeys: readonly ConfigKey[] = [
  key('data_dir', z.string().min(1).default('./data'), 'Folder of database, key and temporary files.'),
  key('server.host', z.string().min(1).default('0.0.0.0'), 'Address to listen on.'),
  key(
    'server.port',
    z.coerce.number().int().min(0).max(65_535).default(8340),
    'Port to listen on; 0 takes a free one.',
  ),
  key('server.external_url', webAddress, 'Address people and agents use, when it differs from the one above.'),
  key('server.trusted_proxies', flagList, 'Proxies (addresses or networks) whose X-Forwarded headers are believed.'),
  key('database.path', z.string().default(''), 'SQLite file; default: backupx.db in data_dir.'),
  key('database.url', z.string().default(''), 'PostgreSQL address; not supported by this version.', { secret: true }),
  key('security.session_ttl', parsed(parseDurationMs, 'a duration such as 12h or 7d', '7d'), 'Life of a login.'),
  key('security.encryption_key', z.string().default(''), 'Key that seals secrets: 32 bytes as hex or base64.', {
    secret: true,
  }),
  key('security.encryption_key_file', z.string().default(''), 'File with that key; default: secret.key in data_dir.'),
  key('backup.temp_dir', z.string().default(''), 'Folder for temporary files; default: tmp in data_dir.'),
  key('backup.max_concurrent', z.coerce.number().int().min(1).max(100).default(2), 'Backups at a time on the master.'),
  key(
    'backup.threads',
    z.coerce.number().int().min(0).max(256).default(0),
    'Threads that compress and encrypt for one run; 0: one per core.',
  ),
  key(
    'backup.nice',
    z.coerce.number().int().min(0).max(19).default(0),
    'How far backups, checks and clean-ups let other programs go first (as with nice); on Linux.',
  ),
  key('backup.retries', z.coerce.number().int().min(0).max(20).default(3), 'Tries after a storage failed.'),
  key(
    'backup.storage_patience',
    parsed(parseDurationOrZero, 'a duration such as 15m, or 0', '15m'),
    'How long a run waits for a storage that does not answer; 0: only as often as the key above says.',
  ),
  key(
    'backup.bandwidth_limit',
    parsed(parseBytesPerSecond, 'a rate such as 10MB or 500K; 0 for none', '0'),
    'Upload limit of a backup per second.',
  ),
  key(
    'log.level',
    z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
    'Least level.',
  ),
  key('log.file', z.string().default(''), 'File to append to; default: standard output.'),
  key('log.format', z.enum(['json', 'text']).default('json'), 'json, or text for people.'),
];

/** What the rest of the server works with; deeply frozen. */
export interface ServerConfig {
  /** Absolute. */
  readonly dataDir: string;
  readonly server: {
    readonly host: string;
    readonly port: number;
    readonly externalUrl: string;
    readonly trustedProxies: readonly string[];
  };
  readonly database: { readonly path: string };
  readonly security: {
    readonly sessionTtlMs: number;
    /** Empty: the key file is used. */
    readonly encryptionKey: string;
    readonly encryptionKeyFile: string;
  };
  readonly backup: {
    readonly tempDir: string;
    readonly maxConcurrent: number;
    /** 0: one per core. */
    readonly threads: number;
    readonly nice: number;
    readonly retries: number;
    readonly storagePatienceMs: number;
    /** 0: no limit. */
    readonly bandwidthBytesPerSecond: number;
  };
  readonly log: { readonly level: string; readonly file: string; readonly format: 'json' | 'text' };
}
