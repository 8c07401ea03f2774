/**
 * Where a stored secret may go: to the server and login it was stored for, nowhere else. Whoever may start restores and
 * tests could otherwise read any password by naming a host of his own.
 */
import { type DriverManifest, type FieldManifest, MASKED_SECRET } from '@backupx/contracts/driver-manifest';
import { AppError } from '@backupx/contracts/errors';

/** Says where a secret of the same driver is sent, or who it belongs to. */
const saysWhere = (field: FieldManifest): boolean => field.place === true && !field.secret;

type Config = Readonly<Record<string, unknown>>;

const isGiven = (value: unknown): boolean =>
  value !== undefined && value !== null && value !== '' && !(Array.isArray(value) && value.length === 0);

const textOf = (value: unknown): string => JSON.stringify(typeof value === 'string' ? value.trim() : (value ?? ''));

const effectiveOf = (field: FieldManifest, config: Config): string => textOf(config[field.name] ?? field.default);

/** Names of the secret fields among `fields`. */
const secretNames = (fields: readonly FieldManifest[]): string[] =>
  fields.filter((field) => field.secret).map((field) => field.name);

/** Secrets as people may see them; empty ones stay empty. */
export function maskFields(fields: readonly FieldManifest[], config: Config): Record<string, unknown> {
  const secrets = new Set(secretNames(fields));
  return Object.fromEntries(
    Object.entries(config).map(([name, value]) => [name, secrets.has(name) && isGiven(value) ? MASKED_SECRET : value]),
  );
}

/**
 * Settings with masked secrets filled from `stored`. A mask with nothing behind it is left out. Throws INVALID_INPUT with the
 * secret's field when the settings name another server or login than the stored ones.
 */
export function fillSecrets(
  manifest: DriverManifest,
  { given, stored }: { given: Config; stored: Config },
): Record<string, unknown> {
  const masked = secretNames(manifest.fields).filter((name) => given[name] === MASKED_SECRET);
  const filled: Record<string, unknown> = { ...given };
  for (const name of masked) {
    if (isGiven(stored[name])) filled[name] = stored[name];
    else delete filled[name];
  }
  const isElsewhere = manifest.fields.some(
    (field) => saysWhere(field) && effectiveOf(field, given) !== effectiveOf(field, stored),
  );
  const lost = masked.filter((name) => isGiven(stored[name]));
  if (!isElsewhere || lost.length === 0) return filled;
  const message = 'type it again: the stored one is for another server or login';
  const fields = lost.map((name) => ({ path: `config.${name}`, code: 'secret_required', message }));
  throw new AppError('INVALID_INPUT', {}, { fields });
}

/** The options of a restore that say something, in a form that can be stored; a mask says nothing. */
export function givenOptions(options: Config): Record<string, unknown> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => isGiven(value) && value !== MASKED_SECRET));
}

/** True when the options of a restore lead to another server or login than the settings of the backup. */
function leadElsewhere(manifest: DriverManifest, stored: Config, options: Config): boolean {
  const shared = (manifest.restoreFields ?? []).filter(
    (field) => saysWhere(field) && manifest.fields.some((own) => own.name === field.name),
  );
  const says = shared.some(
    (field) => isGiven(options[field.name]) && effectiveOf(field, options) !== textOf(field.default),
  );
  return says && shared.some((field) => effectiveOf(field, options) !== textOf(stored[field.name]));
}

/** Settings of the backup for a restore: without secrets when its options lead elsewhere. */
export function settingsForRestore(manifest: DriverManifest | undefined, stored: Config, options: Config): Config {
  if (!manifest || !leadElsewhere(manifest, stored, options)) return stored;
  const secrets = new Set(secretNames(manifest.fields));
  return Object.fromEntries(Object.entries(stored).filter(([name]) => !secrets.has(name)));
}

/** Settings without the secrets that the options of a restore brought: those are forgotten with the restore. */
export function withoutSecretsOf(manifest: DriverManifest, config: Config, options: Config): Config {
  const brought = new Set(
    secretNames(manifest.fields).filter((name) => isGiven(options[name]) && options[name] === config[name]),
  );
  return Object.fromEntries(Object.entries(config).filter(([name]) => !brought.has(name)));
}

/** The way back, while the restore is there. */
export function withSecretsOf(manifest: DriverManifest, config: Config, options: Config): Config {
  const brought = secretNames(manifest.fields).filter((name) => !(name in config) && isGiven(options[name]));
  return { ...config, ...Object.fromEntries(brought.map((name) => [name, options[name]])) };
}
