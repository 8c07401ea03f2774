/**
 * Reads the configuration once: defaults < file < environment < flags. All problems are reported together, so that
 * nobody corrects them one start at a time. The only place of the server that looks at `process.env`.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { AppError } from '@backupx/contracts/errors';
import { nearestName } from '@backupx/contracts/nearest-name';
import { parse as parseYaml } from 'yaml';
import type { ServerConfig } from './config-schema.ts';
import { type ConfigKey, configKeys } from './config-schema.ts';

export interface LoadConfigOptions {
  /** `--config`; missing: `./config.yaml`, then `/etc/backupx/config.yaml`, if there is one. */
  readonly configPath?: string | undefined;
  /** Values from the command line by dotted name, e.g. `{'server.port': 8340}`; undefined ones are ignored. */
  readonly flags?: Readonly<Record<string, unknown>> | undefined;
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Folder that relative paths start from. */
  readonly cwd?: string;
}

type Values = Map<string, unknown>;

const names = configKeys.map((one) => one.name);
const envNames = configKeys.map((one) => one.env);
const sections = new Set(names.flatMap((name) => (name.includes('.') ? [name.slice(0, name.indexOf('.'))] : [])));
const reasonOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

function unknownKey(name: string, known: readonly string[], where: string): string {
  return `${where}: unknown key ${name}, did you mean ${nearestName(name, known)}?`;
}

const isMapping = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** `[['server.port', 8340], …]`; a section that is there but empty gives nothing. */
function pairsOf(tree: object): (readonly [string, unknown])[] {
  return Object.entries(tree).flatMap(([name, value]): (readonly [string, unknown])[] => {
    if (!sections.has(name)) return [[name, value]];
    if (value === null || value === undefined) return [];
    if (!isMapping(value)) return [[name, value]];
    return Object.entries(value).map(([inner, one]) => [`${name}.${inner}`, one] as const);
  });
}

function flatten(tree: unknown, where: string, problems: string[]): Values {
  const values: Values = new Map();
  if (tree === null || tree === undefined) return values;
  if (!isMapping(tree)) {
    problems.push(`${where}: must be a YAML mapping`);
    return values;
  }
  for (const [name, value] of pairsOf(tree)) {
    if (names.includes(name)) values.set(name, value ?? undefined);
    else if (sections.has(name)) problems.push(`${where}: ${name} must be a mapping`);
    else problems.push(unknownKey(name, [...names, ...sections], where));
  }
  return values;
}

function readFile(options: LoadConfigOptions, cwd: string, problems: string[]): Values {
  const candidates = options.configPath
    ? [resolve(cwd, options.configPath)]
    : [resolve(cwd, 'config.yaml'), '/etc/backupx/config.yaml'];
  const path = options.configPath ? candidates[0] : candidates.find((one) => existsSync(one));
  if (!path) return new Map();
  try {
    return flatten(parseYaml(readFileSync(path, 'utf8')), path, problems);
  } catch (error) {
    problems.push(`${path}: ${reasonOf(error)}`);
    return new Map();
  }
}

/** `BACKUPX_AGENT_…` belongs to the agent, other prefixes to nobody we know; our own sections are checked for typos. */
function isOurs(name: string): boolean {
  const section = /^BACKUPX_([A-Z]+)_/.exec(name)?.[1]?.toLowerCase();
  return section !== undefined && sections.has(section);
}

function readEnvironment(env: NonNullable<LoadConfigOptions['env']>, problems: string[]): Values {
  const values: Values = new Map();
  const fileNames = new Map<string, ConfigKey>(
    configKeys.filter((one) => one.secret).map((one) => [`${one.env}_FILE`, one]),
  );
  for (const [name, value] of Object.entries(env)) {
    if (value === undefined || value === '') continue;
    const direct = configKeys.find((one) => one.env === name);
    const byFile = fileNames.get(name);
    if (direct) values.set(direct.name, value);
    else if (byFile) readSecretFile(byFile, name, value, values, problems);
    else if (isOurs(name)) problems.push(unknownKey(name, envNames, 'environment'));
  }
  return values;
}

function readSecretFile(key: ConfigKey, name: string, path: string, values: Values, problems: string[]): void {
  try {
    values.set(key.name, readFileSync(path, 'utf8').trim());
  } catch (error) {
    problems.push(`${name}: ${reasonOf(error)}`);
  }
}

function readFlags(flags: LoadConfigOptions['flags'], problems: string[]): Values {
  const values: Values = new Map();
  for (const [name, value] of Object.entries(flags ?? {})) {
    if (value === undefined) continue;
    if (names.includes(name)) values.set(name, value);
    else problems.push(unknownKey(name, names, 'flags'));
  }
  return values;
}

function validate(values: Values, problems: string[]): Map<string, unknown> {
  const result = new Map<string, unknown>();
  for (const key of configKeys) {
    const parsed = key.schema.safeParse(values.get(key.name));
    if (parsed.success) result.set(key.name, parsed.data);
    // The value itself is not repeated: it may be a secret.
    else problems.push(...parsed.error.issues.map((issue) => `${key.name}: ${issue.message}`));
  }
  if (result.get('database.url'))
    problems.push('database.url: PostgreSQL is not supported by this version; use database.path');
  return result;
}

function deepFreeze<T extends object>(value: T): T {
  for (const inner of Object.values(value)) if (typeof inner === 'object' && inner !== null) deepFreeze(inner);
  return Object.freeze(value);
}

function build(values: Map<string, unknown>, cwd: string): ServerConfig {
  const get = <T>(name: string) => values.get(name) as T;
  const dataDir = resolve(cwd, get<string>('data_dir'));
  const pathOr = (name: string, fallback: string) => (get<string>(name) ? resolve(cwd, get<string>(name)) : fallback);
  return deepFreeze({
    dataDir,
    server: {
      host: get<string>('server.host'),
      port: get<number>('server.port'),
      externalUrl: get<string>('server.external_url'),
      trustedProxies: get<string[]>('server.trusted_proxies'),
    },
    database: { path: pathOr('database.path', join(dataDir, 'backupx.db')) },
    security: {
      sessionTtlMs: get<number>('security.session_ttl'),
      encryptionKey: get<string>('security.encryption_key'),
      encryptionKeyFile: pathOr('security.encryption_key_file', join(dataDir, 'secret.key')),
    },
    backup: {
      tempDir: pathOr('backup.temp_dir', join(dataDir, 'tmp')),
      maxConcurrent: get<number>('backup.max_concurrent'),
      threads: get<number>('backup.threads'),
      nice: get<number>('backup.nice'),
      retries: get<number>('backup.retries'),
      storagePatienceMs: get<number>('backup.storage_patience'),
      bandwidthBytesPerSecond: get<number>('backup.bandwidth_limit'),
    },
    log: {
      level: get<string>('log.level'),
      file: get<string>('log.file') ? resolve(cwd, get<string>('log.file')) : '',
      format: get<'json' | 'text'>('log.format'),
    },
  });
}

/** Answers the frozen configuration, or throws CONFIG_INVALID that lists every problem. */
export function loadConfig(options: LoadConfigOptions = {}): ServerConfig {
  const cwd = options.cwd ?? process.cwd();
  const problems: string[] = [];
  const merged: Values = new Map();
  const sources = [
    readFile(options, cwd, problems),
    readEnvironment(options.env ?? process.env, problems),
    readFlags(options.flags, problems),
  ];
  for (const source of sources) for (const [name, value] of source) merged.set(name, value);
  const values = validate(merged, problems);
  if (problems.length > 0) throw new AppError('CONFIG_INVALID', { problems: problems.join('; ') });
  return build(values, cwd);
}
