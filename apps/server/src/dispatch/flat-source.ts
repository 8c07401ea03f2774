/**
 * The field's flat names of a task and the settings of a source driver: `sourcePaths`, `dbHost`, `dbName` … Databases
 * are one text there (`dbName`, or `dbPath` for those that are files) and a list with us.
 */
import { type DriverManifest, MASKED_SECRET } from '@backupx/contracts/driver-manifest';
import { maskFields } from './stored-secrets.ts';

type Config = Readonly<Record<string, unknown>>;

const SAME_NAMES = ['dbHost', 'dbPort', 'dbUser', 'dbPassword'] as const;

/** Settings of databases under the field's names; empty texts and 0 where the driver has none. */
export interface FlatDatabase {
  readonly dbHost: string;
  readonly dbPort: number;
  readonly dbUser: string;
  readonly dbPassword: string;
  readonly dbName: string;
  readonly dbPath: string;
}

/** What a task's input may say of it. */
export type FlatInput = { readonly [K in keyof FlatDatabase]?: FlatDatabase[K] | readonly string[] | undefined };

/** Settings of a source split into the API's flat fields. */
export interface FlatSource extends FlatDatabase {
  readonly sourcePaths: string[];
  readonly excludePatterns: string[];
  readonly extraConfig: Record<string, unknown>;
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '');

const hasServer = (config: Config): boolean => config.dbHost !== undefined || config.dbUser !== undefined;

/** Separated by commas, semicolons or newlines; paths may hold the first two. */
function splitNames(value: unknown, separator: RegExp): string[] {
  if (Array.isArray(value)) return value.map(String);
  const names = text(value).split(separator);
  return names.map((name) => name.trim()).filter(Boolean);
}

/** Databases in the field's words; what is not there is empty. */
export function flatDatabase(config: Config): FlatDatabase {
  const databases = Array.isArray(config.databases) ? config.databases.map(String) : [];
  return {
    dbHost: text(config.dbHost),
    dbPort: Number(config.dbPort) || 0,
    dbUser: text(config.dbUser),
    dbPassword: text(config.dbPassword),
    dbName: hasServer(config) ? databases.join(databases.some((name) => /[,;]/.test(name)) ? '\n' : ',') : '',
    dbPath: hasServer(config) ? '' : databases.join('\n'),
  };
}

/** The API's fields of stored settings, secrets masked. */
export function flatSource(config: Config, manifest: DriverManifest | undefined): FlatSource {
  const { paths, excludePatterns, ...rest } = config;
  const extraConfig = maskFields(manifest?.fields ?? [], rest);
  return {
    sourcePaths: Array.isArray(paths) ? (paths as string[]) : [],
    excludePatterns: Array.isArray(excludePatterns) ? (excludePatterns as string[]) : [],
    extraConfig,
    ...flatDatabase(extraConfig),
  };
}

/** Settings out of `extraConfig` and the flat fields that say something else than was stored. */
export function withFlatDatabase(
  manifest: DriverManifest,
  parts: { config: Config; flat: FlatInput; stored: Config },
): Record<string, unknown> {
  const { flat, stored } = parts;
  const config: Record<string, unknown> = { ...parts.config };
  const has = (name: string) => manifest.fields.some((field) => field.name === name);
  const before = flatDatabase(stored);
  const isNews = (name: keyof FlatDatabase, own: string) => {
    const value = flat[name];
    if (value === undefined || value === '' || value === 0 || !has(own)) return false;
    const wasAnswered = name === 'dbPassword' ? MASKED_SECRET : before[name];
    return config[own] === undefined || String(value) !== String(wasAnswered);
  };
  for (const name of SAME_NAMES) if (isNews(name, name)) config[name] = flat[name];
  const list = has('dbHost') ? 'dbName' : 'dbPath';
  if (isNews(list, 'databases')) {
    // The field's own form of files is one path; one per line is ours.
    config.databases = splitNames(flat[list], list === 'dbPath' ? /[\r\n]+/ : /[,;\r\n]+/);
  }
  return config;
}
