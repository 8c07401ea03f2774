import type { EngineDrivers, StorageLimits } from './jobs/job-context.ts';
import { findStorage, parseConfig } from './jobs/parse-settings.ts';
import type { SourceDriver } from './ports/source.ts';
import type { Storage, StorageDriver } from './ports/storage.ts';
import { withBandwidthLimit } from './storages/decorators/with-bandwidth-limit.ts';
import { withRetry } from './storages/decorators/with-retry.ts';

const DEFAULT_ATTEMPTS = 4;

function decorate(storage: Storage, limits: StorageLimits): Storage {
  const { bandwidthBytesPerSecond = 0, attempts = DEFAULT_ATTEMPTS, patienceMs, onOutage } = limits;
  return withRetry(withBandwidthLimit(storage, bandwidthBytesPerSecond), { attempts, patienceMs, onOutage });
}

/** Drivers joined with the storage decorators. */
export function joinDrivers(sources: readonly SourceDriver[], storages: readonly StorageDriver[]): EngineDrivers {
  return {
    sources,
    storages,
    openStorage({ type, config }, limits) {
      const driver = findStorage(storages, type);
      return decorate(driver.create(parseConfig(driver, config)), limits);
    },
    decorate,
    limitBandwidth: withBandwidthLimit,
  };
}
