/** Secrets of a storage config on their way out (masked) and back in (a mask keeps what is stored). */
import { type DriverManifest, MASKED_SECRET } from '@backupx/contracts/driver-manifest';

type Config = Readonly<Record<string, unknown>>;

function secretNames(manifest: DriverManifest | undefined): Set<string> {
  return new Set(manifest?.fields.filter((field) => field.secret).map((field) => field.name));
}

/**
 * Empty secrets stay empty, so that the form can tell "none" from "hidden". Without a manifest (a driver that is gone)
 * nothing is known to be harmless, so every text is masked.
 */
export function maskSecrets(config: Config, manifest: DriverManifest | undefined): Record<string, unknown> {
  const secrets = secretNames(manifest);
  const hide = (name: string, value: unknown) =>
    value !== '' &&
    value !== null &&
    value !== undefined &&
    (secrets.has(name) || (!manifest && value !== MASKED_SECRET));
  return Object.fromEntries(
    Object.entries(config).map(([name, value]) => [name, hide(name, value) ? MASKED_SECRET : value]),
  );
}

/** Fills masked secrets from `stored`; a mask with nothing behind it is dropped, so validation asks for the field. */
export function unmaskSecrets(
  config: Config,
  stored: Config | null,
  manifest: DriverManifest | undefined,
): Record<string, unknown> {
  const secrets = secretNames(manifest);
  const result: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(config)) {
    if (value !== MASKED_SECRET || !secrets.has(name)) result[name] = value;
    else if (stored && Object.hasOwn(stored, name)) result[name] = stored[name];
  }
  return result;
}
