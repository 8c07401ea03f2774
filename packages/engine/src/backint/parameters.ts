/**
 * The parameter file that the database hands over with `-p`: one `key = value` per line, `#` begins a comment. A value
 * `@/path` is read from that file. What holds a secret must be readable by its owner only.
 */
import { readFileSync, statSync } from 'node:fs';
import type { FieldManifest } from '@backupx/contracts/driver-manifest';
import { AppError } from '@backupx/contracts/errors';
import { z } from 'zod';

const DEFAULT_PREFIX = 'backint';
/** As many channels as a database may use at most: none of its pipes waits for another. */
const DEFAULT_PARALLELISM = 32;
const STORAGE_FIELD = 'storage.';

const list = z
  .string()
  .transform((text) => text.split(/[\s,]+/).filter((item) => item !== ''))
  .default([]);
const number = (least: number, most: number) => z.coerce.number().int().min(least).max(most);

const settingsSchema = z.strictObject({
  storage: z.string().min(1),
  storage_file: z.string().startsWith('/', 'must be an absolute path').optional(),
  prefix: z
    .string()
    .regex(/^[A-Za-z0-9_-][A-Za-z0-9._-]*(\/[A-Za-z0-9_-][A-Za-z0-9._-]*)*$/, 'must be a plain relative path')
    .default(DEFAULT_PREFIX),
  encryption_recipients: list,
  encryption_identities: list,
  compression_level: number(1, 19).default(3),
  parallelism: number(1, 256).default(DEFAULT_PARALLELISM),
  open_timeout_seconds: number(1, 3600).default(60),
  log_file: z.string().startsWith('/', 'must be an absolute path').optional(),
  recovery_user: z.string().min(1).optional(),
});

export interface BackintParameters {
  readonly storage: { readonly type: string; readonly config: Record<string, unknown> };
  readonly prefix: string;
  /** Public keys that backups are encrypted for; empty: not encrypted. */
  readonly recipients: readonly string[];
  readonly identities: readonly string[];
  readonly compressionLevel: number;
  readonly parallelism: number;
  readonly openTimeoutMs: number;
  readonly logFile: string | null;
  /** Whose backups are restored and listed; null: those of the calling user. For copies of another system. */
  readonly recoveryUser: string | null;
}

interface Setting {
  readonly value: string;
  /** The file it came from, to be judged when the setting is a secret. */
  readonly file: string;
}

/** Reads and checks everything. `fieldsOf`: the settings of a kind of storage. Throws CONFIG_INVALID with all problems. */
export function readParameters(
  file: string,
  fieldsOf: (storageType: string) => readonly FieldManifest[],
): BackintParameters {
  const problems: string[] = [];
  const settings = readSettings(file, problems);
  const own = Object.fromEntries([...settings].filter(([key]) => !key.startsWith(STORAGE_FIELD)));
  const parsed = settingsSchema.safeParse(Object.fromEntries(Object.entries(own).map(([k, item]) => [k, item.value])));
  if (!parsed.success) {
    problems.push(...parsed.error.issues.map((issue) => `${issue.path.join('.') || file}: ${issue.message}`));
    throw invalid(problems);
  }
  const identities = own.encryption_identities;
  if (identities) demandPrivate(identities.file, 'encryption_identities', problems);
  const data = parsed.data;
  const fields = new Map([...settings].flatMap(([key, item]) => storageField(key, item)));
  if (data.storage_file) for (const [key, item] of readSettings(data.storage_file, problems)) fields.set(key, item);
  const config = storageConfig(fields, fieldsOf(data.storage), problems);
  if (problems.length > 0) throw invalid(problems);
  return {
    storage: { type: data.storage, config },
    prefix: data.prefix,
    recipients: data.encryption_recipients,
    identities: data.encryption_identities,
    compressionLevel: data.compression_level,
    parallelism: data.parallelism,
    openTimeoutMs: data.open_timeout_seconds * 1000,
    logFile: data.log_file ?? null,
    recoveryUser: data.recovery_user ?? null,
  };
}

function storageField(key: string, item: Setting): [string, Setting][] {
  return key.startsWith(STORAGE_FIELD) ? [[key.slice(STORAGE_FIELD.length), item]] : [];
}

function readSettings(file: string, problems: string[]): Map<string, Setting> {
  const settings = new Map<string, Setting>();
  for (const [index, line] of readText(file).split(/\r?\n/).entries()) {
    if (/^\s*(#|$)/.test(line)) continue;
    const [, key, value = ''] = /^\s*([^\s=]+)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    if (key === undefined) problems.push(`${file}, line ${index + 1}: is not "key = value"`);
    else if (settings.has(key)) problems.push(`${file}, line ${index + 1}: ${key} is there twice`);
    else settings.set(key, value.startsWith('@/') ? fromFile(value.slice(1)) : { value, file });
  }
  return settings;
}

function fromFile(file: string): Setting {
  // A file of keys as age-keygen writes it has comments.
  const lines = readText(file)
    .split(/\r?\n/)
    .filter((line) => !line.startsWith('#'));
  return { value: lines.join('\n').trim(), file };
}

function storageConfig(
  settings: ReadonlyMap<string, Setting>,
  fields: readonly FieldManifest[],
  problems: string[],
): Record<string, unknown> {
  const config: Record<string, unknown> = {};
  for (const [name, item] of settings) {
    const field = fields.find((candidate) => candidate.name === name);
    if (!field) problems.push(`${STORAGE_FIELD}${name}: there is no such setting`);
    else config[name] = toValue(item.value, field.kind);
    if (field?.secret) demandPrivate(item.file, `${STORAGE_FIELD}${name}`, problems);
  }
  return config;
}

function toValue(text: string, kind: FieldManifest['kind']): unknown {
  if (kind === 'number') return Number(text);
  if (kind === 'list') return text.split(/\s*,\s*/).filter((item) => item !== '');
  if (kind === 'boolean' && /^(true|yes|on|1)$/i.test(text)) return true;
  if (kind === 'boolean' && /^(false|no|off|0)$/i.test(text)) return false;
  return text;
}

function demandPrivate(file: string, key: string, problems: string[]): void {
  if ((statSync(file).mode & 0o077) !== 0) {
    problems.push(`${file} holds ${key} and can be read by others; run: chmod 600 ${file}`);
  }
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new AppError(
      'CONFIG_INVALID',
      { problems: `${file} cannot be read: ${(cause as NodeJS.ErrnoException).code}` },
      { cause },
    );
  }
}

function invalid(problems: readonly string[]): AppError {
  return new AppError('CONFIG_INVALID', { problems: problems.join('; ') });
}
