/** Settings of a driver from the command line: `--set key=value`, secrets from files or typed, never as an argument. */
import { driverRoutes } from '@backupx/contracts/api/storage-targets';
import type { DriverManifest, FieldManifest } from '@backupx/contracts/driver-manifest';
import { AppError } from '@backupx/contracts/errors';
import type { Command } from 'commander';
import type { ApiClient } from './api/api-client.ts';
import { collect } from './parse-argument.ts';
import { readSecret } from './read-secret.ts';

/** As commander fills them in. */
export interface SettingOptions {
  readonly set?: readonly string[];
  readonly secretFile?: readonly string[];
  readonly ask?: readonly string[];
}

/** True when any of them was given. */
export const hasSettings = ({ set, secretFile, ask }: SettingOptions): boolean => Boolean(set || secretFile || ask);

/** Adds the three options to a command. */
export function addSettingOptions(command: Command, what: string): Command {
  return command
    .option('--set <key=value>', `${what} (repeatable; again for each item of a list)`, collect)
    .option('--secret-file <key=file>', 'a secret setting, from the first line of a file (repeatable)', collect)
    .option('--ask <key>', 'a secret setting, typed or from standard input', collect);
}

function refuse(path: string, message: string): AppError {
  return new AppError('INVALID_INPUT', {}, { fields: [{ path, code: 'invalid', message }] });
}

function splitPair(option: string, text: string): [name: string, value: string] {
  const cut = text.indexOf('=');
  if (cut < 1) throw refuse(option, 'write key=value');
  return [text.slice(0, cut), text.slice(cut + 1)];
}

function typedValue(field: FieldManifest, text: string): unknown {
  if (field.kind === 'number') {
    const value = Number(text);
    if (text.trim() === '' || Number.isNaN(value)) throw refuse(`--set ${field.name}`, 'a number is expected');
    return value;
  }
  if (field.kind !== 'boolean') return text;
  if (!['true', 'false'].includes(text)) throw refuse(`--set ${field.name}`, 'true or false is expected');
  return text === 'true';
}

/** The settings that were given, checked against `fields`. Throws INVALID_INPUT and what `readSecret` throws. */
export async function readSettings(
  fields: readonly FieldManifest[],
  { set = [], secretFile = [], ask = [] }: SettingOptions,
): Promise<Record<string, unknown>> {
  const settings: Record<string, unknown> = {};
  const fieldOf = (option: string, name: string): FieldManifest => {
    const field = fields.find((one) => one.name === name);
    if (field) return field;
    throw refuse(`${option} ${name}`, `unknown; there are ${fields.map((one) => one.name).join(', ') || 'none'}`);
  };
  for (const pair of set) {
    const [name, text] = splitPair('--set', pair);
    const field = fieldOf('--set', name);
    if (field.secret) throw refuse(`--set ${name}`, 'it is a secret: use --secret-file or --ask');
    const earlier = settings[name];
    // Nothing after the sign: none of them.
    if (field.kind === 'list') settings[name] = [...(Array.isArray(earlier) ? earlier : []), ...(text ? [text] : [])];
    else settings[name] = typedValue(field, text);
  }
  for (const pair of secretFile) {
    const [name, file] = splitPair('--secret-file', pair);
    settings[fieldOf('--secret-file', name).name] = await readSecret({ file, question: name, isNew: false });
  }
  for (const name of ask) {
    settings[fieldOf('--ask', name).name] = await readSecret({ question: name, isNew: false });
  }
  return settings;
}

/** The manifest of a source. Throws SOURCE_TYPE_UNKNOWN. */
export async function findSourceDriver(client: ApiClient, type: string): Promise<DriverManifest> {
  const { sources } = await client.call(driverRoutes.list);
  const driver = sources.find((one) => one.type === type);
  if (driver) return driver;
  throw new AppError('SOURCE_TYPE_UNKNOWN', { type, known: sources.map((one) => one.type).join(', ') });
}
