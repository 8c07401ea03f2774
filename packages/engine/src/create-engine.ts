/**
 * The engine: all drivers and all jobs behind one object, the same on master and agent. The only way into this
 * package besides `ports/`.
 */
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { toDriverManifest } from '@backupx/contracts/driver-manifest';
import { AppError } from '@backupx/contracts/errors';
import { drivers } from './drivers.ts';
import { createJobRunner } from './jobs/job-runner.ts';
import { findSource, findStorage, parseConfig, parseOptions } from './jobs/parse-settings.ts';
import type { Engine, EngineOptions } from './ports/engine.ts';
import { outliveHangups } from './ports/outlive-hangups.ts';
import { isMarkAlive, processMark } from './ports/process-mark.ts';

const SPOOL_PREFIX = 'engine-';
const modules = {
  driversUrl: new URL('./drivers.ts', import.meta.url).href,
  readersUrl: new URL('./sources/readers.ts', import.meta.url).href,
};

/** Creates an engine; clears away what engines of killed processes left in `tempDir`. */
export function createEngine(options: EngineOptions): Engine {
  // Jobs may hold locks in repositories, and run in threads that get no signals.
  outliveHangups();
  const tempDir = prepareTempDir(options.tempDir);
  const runner = createJobRunner({
    drivers,
    modules,
    tempDir,
    relay: () => options.relay?.() ?? null,
    compressionParallelism: options.compressionParallelism ?? availableParallelism(),
    storageAttempts: options.storageAttempts,
  });
  /** Made when they are asked for: a program that runs one job needs none. */
  let manifests: Engine['manifests'] | null = null;
  return {
    run: (job, runOptions) => runner.run(job, runOptions),
    get manifests() {
      manifests ??= describeDrivers();
      return manifests;
    },
    parseSettings(kind, type, config) {
      if (kind === 'storage') return parseConfig(findStorage(drivers.storages, type), config);
      const source = findSource(drivers.sources, type);
      return kind === 'restore' ? parseOptions(source, config) : parseConfig(source, config);
    },
    openStorage: (target) => drivers.openStorage(target, { attempts: options.storageAttempts }),
    async *decrypt(body, identities) {
      const { decryptAge } = await import('./archive/encryption.ts');
      yield* decryptAge(body, identities, { signal: new AbortController().signal });
    },
    openSnapshotStream: (request, signal) => runner.stream(request, signal),
    createEncryptionKey: async () => (await import('./archive/encryption.ts')).createAgeKey(),
    async close(graceMs) {
      await runner.close(graceMs);
      rmSync(tempDir, { recursive: true, force: true });
    },
  };
}

function describeDrivers(): Engine['manifests'] {
  return {
    sources: drivers.sources.map((driver) => toDriverManifest({ kind: 'source', ...driver })),
    storages: drivers.storages.map((driver) => toDriverManifest({ kind: 'storage', ...driver })),
  };
}

/** A folder of this engine's own below `parent`, named for the process, and none of dead processes beside it. */
function prepareTempDir(parent: string): string {
  try {
    mkdirSync(parent, { recursive: true, mode: 0o700 });
    for (const name of readdirSync(parent)) {
      const mark = name.startsWith(SPOOL_PREFIX) ? name.slice(SPOOL_PREFIX.length).split('-')[0] : undefined;
      if (mark && !isMarkAlive(mark)) rmSync(path.join(parent, name), { recursive: true, force: true });
    }
    return mkdtempSync(path.join(parent, `${SPOOL_PREFIX}${processMark}-`));
  } catch (error) {
    throw new AppError('INTERNAL', {}, { cause: error });
  }
}
