/**
 * The engine: all drivers and all jobs behind one object, the same on master and agent. The only way into this
 * package besides `ports/`, and `create-job-engine.ts` for programs that run a job and end.
 */
import { toDriverManifest } from '@backupx/contracts/driver-manifest';
import { AppError } from '@backupx/contracts/errors';
import { createJobEngine } from './create-job-engine.ts';
import { drivers } from './drivers.ts';
import { findSource, findStorage, parseConfig, parseOptions } from './jobs/parse-settings.ts';
import type { Engine, EngineOptions } from './ports/engine.ts';

/** Creates an engine; clears away what engines of killed processes left in `tempDir`. */
export function createEngine(options: EngineOptions): Engine {
  const jobEngine = createJobEngine(options, async () => drivers);
  /** Made when they are asked for: a program that runs one job needs none. */
  let manifests: Engine['manifests'] | null = null;
  return {
    ...jobEngine,
    get manifests() {
      manifests ??= describeDrivers();
      return manifests;
    },
    parseSettings(kind, type, config) {
      if (kind === 'storage') return parseConfig(findStorage(drivers.storages, type), config);
      const source = findSource(drivers.sources, type);
      return kind === 'restore' ? parseOptions(source, config) : parseConfig(source, config);
    },
    async targetSettings({ type, config }, { options, databases }) {
      const source = findSource(drivers.sources, type);
      if (!source.targetSettings) {
        throw new AppError('NOT_SUPPORTED', { what: `A backup before a restore of ${source.title}`, hint: '' });
      }
      return await source.targetSettings(parseConfig(source, config), parseOptions(source, options), databases);
    },
    openStorage: (target) => drivers.openStorage(target, { attempts: options.storageAttempts }),
    async *decrypt(body, identities) {
      const { decryptAge } = await import('./archive/encryption.ts');
      yield* decryptAge(body, identities, { signal: new AbortController().signal });
    },
    createEncryptionKey: async () => (await import('./archive/encryption.ts')).createAgeKey(),
  };
}

function describeDrivers(): Engine['manifests'] {
  return {
    sources: drivers.sources.map((driver) => toDriverManifest({ kind: 'source', ...driver })),
    storages: drivers.storages.map((driver) => toDriverManifest({ kind: 'storage', ...driver })),
  };
}
