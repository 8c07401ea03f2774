/** All drivers of this engine, joined with the storage decorators. Every thread of the engine loads this module. */

import type { EngineDrivers, StorageLimits } from './jobs/job-context.ts';
import { findStorage, parseConfig } from './jobs/parse-settings.ts';
import type { Storage } from './ports/storage.ts';
import { sourceDrivers } from './sources/index.ts';
import { withBandwidthLimit } from './storages/decorators/with-bandwidth-limit.ts';
import { withRetry } from './storages/decorators/with-retry.ts';
import { storageDrivers } from './storages/index.ts';

const DEFAULT_ATTEMPTS = 4;

function decorate(storage: Storage, limits: StorageLimits): Storage {
  const { bandwidthBytesPerSecond = 0, attempts = DEFAULT_ATTEMPTS } = limits;
  return withRetry(withBandwidthLimit(storage, bandwidthBytesPerSecond), { attempts });
}

export const drivers: EngineDrivers = {
  sources: sourceDrivers,
  storages: storageDrivers,
  openStorage({ type, config }, limits) {
    const driver = findStorage(storageDrivers, type);
    return decorate(driver.create(parseConfig(driver, config)), limits);
  },
  decorate,
  limitBandwidth: withBandwidthLimit,
};
