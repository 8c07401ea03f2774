/** Storage and log of what a database starts itself: no job and no threads, so nothing but storages is loaded. */
import { openSync, writeSync } from 'node:fs';
import { type FieldManifest, toDriverManifest } from '@backupx/contracts/driver-manifest';
import { AppError } from '@backupx/contracts/errors';
import { findStorage, parseConfig } from './jobs/parse-settings.ts';
import { systemClock } from './ports/clock.ts';
import type { Storage } from './ports/storage.ts';
import { withIdleLimit } from './storages/decorators/with-idle-limit.ts';
import { withRetry } from './storages/decorators/with-retry.ts';
import { storageDrivers } from './storages/index.ts';

const ATTEMPTS = 4;
const IDLE_SECONDS = 300;

/** The settings of a kind of storage. Throws STORAGE_TYPE_UNKNOWN. */
export function fieldsOfStorage(type: string): readonly FieldManifest[] {
  return toDriverManifest({ kind: 'storage', ...findStorage(storageDrivers, type) }).fields;
}

/**
 * Never does I/O; tries again what may pass, and ends calls in which nothing moves for so long. Throws
 * STORAGE_TYPE_UNKNOWN, INVALID_INPUT.
 */
export function openDirectStorage(
  { type, config }: { type: string; config: Record<string, unknown> },
  { idleSeconds = IDLE_SECONDS }: { readonly idleSeconds?: number } = {},
): Storage {
  const driver = findStorage(storageDrivers, type);
  const storage = withRetry(driver.create(parseConfig(driver, config)), { attempts: ATTEMPTS });
  return withIdleLimit(storage, { seconds: idleSeconds });
}

function openFile(file: string): number {
  try {
    return openSync(file, 'a', 0o600);
  } catch (cause) {
    throw new AppError('CONFIG_INVALID', { problems: `log_file: ${(cause as Error).message}` }, { cause });
  }
}

/**
 * Several processes append to the same file, so a line is written at once. Null: nowhere. A disk that is full of logs must
 * not keep a database from archiving: then lines are left out. Throws CONFIG_INVALID when it cannot be opened.
 */
export function openLog(file: string | null): (message: string) => void {
  if (file === null) return () => {};
  const fd = openFile(file);
  return (message) => {
    try {
      writeSync(fd, `${systemClock.now().toISOString()} [${process.pid}] ${message}\n`);
    } catch {
      // What went wrong with the work itself is also said to whoever started us.
    }
  };
}
