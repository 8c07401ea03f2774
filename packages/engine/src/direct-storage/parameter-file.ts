/**
 * The parameter file of what a database starts itself: one `key = value` per line, `#` begins a comment. A value `@/path`
 * is read from that file. What holds a secret must be readable by its owner only.
 */
import { readFileSync, statSync } from 'node:fs';
import type { FieldManifest } from '@backupx/contracts/driver-manifest';
import { AppError } from '@backupx/contracts/errors';
import { z } from 'zod';

const STORAGE_FIELD = 'storage.';

const list = z
  .string()
  .transform((text) => text.split(/[\s,]+/).filter((item) => item !== ''))
  .default([]);
const integer = (least: number, most: number) => z.coerce.number().int().min(least).max(most);

const directShape = {
  storage: z.string().min(1),
  storage_file: z.string().startsWith('/', 'must be an absolute path').optional(),
  prefix: z
    .string()
    .regex(/^[A-Za-z0-9_-][A-Za-z0-9._-]*(\/[A-Za-z0-9_-][A-Za-z0-9._-]*)*$/, 'must be a plain relative path')
    .optional(),
  encryption_recipients: list,
  encryption_identities: list,
  compression_level: integer(1, 19).default(3),
  parallelism: integer(1, 256).optional(),
  log_file: z.string().startsWith('/', 'must be an absolute path').optional(),
};

/** What every such file says. */
export interface DirectParameters {
  readonly storage: { readonly type: string; readonly config: Record<string, unknown> };
  readonly prefix: string;
  /** Public keys that objects are encrypted for; empty: not encrypted. */
  readonly recipients: readonly string[];
  readonly identities: readonly string[];
  readonly compressionLevel: number;
  readonly parallelism: number;
  readonly logFile: string | null;
}

/** Settings of a kind of storage. */
export type FieldsOfStorage = (storageType: string) => readonly FieldManifest[];

export interface ParameterFileOptions<E extends z.ZodRawShape> {
  /** Settings beside those of every such file. */
  readonly extra: E;
  readonly defaults: Pick<DirectParameters, 'prefix' | 'parallelism'>;
  readonly fieldsOf: FieldsOfStorage;
  /** Keys of `extra` that only the owner of their file may read. */
  readonly secrets?: readonly string[];
}

interface Setting {
  readonly value: string;
  /** The file it came from, to be judged when the setting is a secret. */
  readonly file: string;
}

/** Reads and checks everything. Throws CONFIG_INVALID with all problems. */
export function readParameterFile<E extends z.ZodRawShape>(
  file: string,
  { extra, defaults, fieldsOf, secrets = [] }: ParameterFileOptions<E>,
): { readonly direct: DirectParameters; readonly extra: z.output<z.ZodObject<E>> } {
  const problems: string[] = [];
  const settings = readSettings(file, problems);
  const own = Object.fromEntries([...settings].filter(([key]) => !key.startsWith(STORAGE_FIELD)));
  const values = Object.fromEntries(Object.entries(own).map(([key, item]) => [key, item.value]));
  const checked = z.strictObject({ ...directShape, ...extra }).safeParse(values);
  if (!checked.success) {
    problems.push(...checked.error.issues.map((issue) => `${issue.path.join('.') || file}: ${issue.message}`));
    throw invalid(problems);
  }
  for (const key of ['encryption_identities', ...secrets]) {
    const secret = own[key];
    if (secret) demandPrivate(secret.file, key, problems);
  }
  const data = z.object(directShape).parse(values);
  const fields = new Map([...settings].flatMap(([key, item]) => storageField(key, item)));
  if (data.storage_file) for (const [key, item] of readSettings(data.storage_file, problems)) fields.set(key, item);
  const config = storageConfig(fields, fieldsOf(data.storage), problems);
  if (problems.length > 0) throw invalid(problems);
  const direct = {
    storage: { type: data.storage, config },
    prefix: data.prefix ?? defaults.prefix,
    recipients: data.encryption_recipients,
    identities: data.encryption_identities,
    compressionLevel: data.compression_level,
    parallelism: data.parallelism ?? defaults.parallelism,
    logFile: data.log_file ?? null,
  };
  return { direct, extra: z.object(extra).parse(values) };
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
