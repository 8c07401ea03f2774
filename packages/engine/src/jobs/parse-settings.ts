import { AppError } from '@backupx/contracts/errors';
import type { DriverSettings } from '@backupx/contracts/jobs';
import { z } from 'zod';
import type { SourceDriver } from '../ports/source.ts';
import type { StorageDriver } from '../ports/storage.ts';

function typesOf(drivers: readonly { readonly type: string }[]): string {
  return drivers.map((driver) => driver.type).join(', ');
}

/** Throws SOURCE_TYPE_UNKNOWN. */
export function findSource(drivers: readonly SourceDriver[], type: string): SourceDriver {
  const driver = drivers.find((item) => item.type === type);
  if (!driver) throw new AppError('SOURCE_TYPE_UNKNOWN', { type, known: typesOf(drivers) });
  return driver;
}

/** Throws STORAGE_TYPE_UNKNOWN. */
export function findStorage(drivers: readonly StorageDriver[], type: string): StorageDriver {
  const driver = drivers.find((item) => item.type === type);
  if (!driver) throw new AppError('STORAGE_TYPE_UNKNOWN', { type, known: typesOf(drivers) });
  return driver;
}

/** Settings with defaults filled in. Throws INVALID_INPUT with one field per problem, below `config.`. */
export function parseConfig(
  driver: Pick<SourceDriver | StorageDriver, 'config'>,
  config: unknown,
): Record<string, unknown> {
  const parsed = driver.config.safeParse(config);
  if (parsed.success) return parsed.data;
  const fields = parsed.error.issues.map((issue) => ({
    path: ['config', ...issue.path].join('.'),
    code: issue.code,
    message: issue.message,
  }));
  throw new AppError('INVALID_INPUT', {}, { fields });
}

/** The options of a restore, like `parseConfig`; a source without any accepts none. */
export function parseOptions(driver: SourceDriver, options: unknown): Record<string, unknown> {
  return parseConfig({ config: driver.restoreConfig ?? z.strictObject({}) }, options);
}

/** The driver of a job's source with its checked settings. */
export function openSource(drivers: readonly SourceDriver[], settings: DriverSettings) {
  const driver = findSource(drivers, settings.type);
  return { driver, config: parseConfig(driver, settings.config) };
}
