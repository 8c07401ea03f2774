/** All drivers of this engine, joined with the storage decorators. Every thread of the engine loads this module. */

import type { EngineDrivers } from './jobs/job-context.ts';
import { findStorage, parseConfig } from './jobs/parse-settings.ts';
import { sourceDrivers } from './sources/index.ts';
import { withBandwidthLimit } from './storages/decorators/with-bandwidth-limit.ts';
import { withRetry } from './storages/decorators/with-retry.ts';
import { storageDrivers } from './storages/index.ts';

const DEFAULT_ATTEMPTS = 4;

export const drivers: EngineDrivers = {
  sources: sourceDrivers,
  storages: storageDrivers,
  openStorage({ type, config }, { bandwidthBytesPerSecond = 0, attempts = DEFAULT_ATTEMPTS }) {
    const driver = findStorage(storageDrivers, type);
    const storage = driver.create(parseConfig(driver, config));
    return withRetry(withBandwidthLimit(storage, bandwidthBytesPerSecond), { attempts });
  },
  limitBandwidth: withBandwidthLimit,
};
