/** A job context over memory storages and the reader of the same thread, for tests of single jobs. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { JobProgress, JobTarget, RunBackupJob, StoredArtifact } from '@backupx/contracts/jobs';
import { afterAll } from 'vitest';
import type { EngineDrivers, JobContext } from '../jobs/job-context.ts';
import { openSource } from '../jobs/parse-settings.ts';
import { readSource } from '../jobs/read-source.ts';
import type { SourceDriver } from '../ports/source.ts';
import type { Storage } from '../ports/storage.ts';
import { withBandwidthLimit } from '../storages/decorators/with-bandwidth-limit.ts';

export interface JobFixture {
  readonly context: JobContext;
  readonly abort: AbortController;
  readonly progress: JobProgress[];
  readonly logs: string[];
}

/** Of this test file; goes with its last test. */
const tempRoot = mkdtempSync(path.join(tmpdir(), 'backupx-test-'));
afterAll(() => rmSync(tempRoot, { recursive: true, force: true }));

/** `storages`: by the `type` of the targets that use them. */
export function createJobFixture(options: {
  readonly storages: Readonly<Record<string, Storage>>;
  readonly sources: readonly SourceDriver[];
  readonly blockSize?: number;
}): JobFixture {
  const abort = new AbortController();
  const tempDir = mkdtempSync(path.join(tempRoot, 'job-'));
  const progress: JobProgress[] = [];
  const logs: string[] = [];
  const drivers: EngineDrivers = {
    sources: options.sources,
    storages: [],
    openStorage({ type }) {
      const storage = options.storages[type];
      if (!storage) throw new Error(`no storage ${type}`);
      return storage;
    },
    decorate: (storage, { bandwidthBytesPerSecond = 0 }) => withBandwidthLimit(storage, bandwidthBytesPerSecond),
    limitBandwidth: withBandwidthLimit,
  };
  const context: JobContext = {
    drivers,
    signal: abort.signal,
    reporter: { progress: (item) => progress.push(item), log: (level, message) => logs.push(`${level}: ${message}`) },
    tempDir,
    relay: null,
    compressionParallelism: 2,
    readersUrl: null,
    openReader: (open) => {
      const { driver, config } = openSource(options.sources, open.source);
      return readSource({ ...open, reader: driver, config, tempDir, blockSize: options.blockSize ?? 64 * 1024 });
    },
  };
  return { context, abort, progress, logs };
}

export function testTarget(id: number, type = `s${id}`): JobTarget {
  return { id, name: `target ${id}`, type, config: {}, viaMaster: false };
}

export function backupJob(paths: readonly string[], more: Partial<RunBackupJob> = {}): RunBackupJob {
  return {
    kind: 'run_backup',
    taskId: 1,
    recordId: 7,
    taskName: 'test',
    source: { type: 'file', config: { paths: [...paths] } },
    targets: [testTarget(1)],
    compression: 'zstd',
    encryption: null,
    keyPrefix: 'tasks/1/7',
    baseName: 'backup',
    bandwidthBytesPerSecond: 0,
    ...more,
  };
}

/** The artifact a backup reported, as a restore gets it. */
export function artifactOf(
  result: { storagePath: string; contentsPath: string; fileName: string; checksum: string; fileSize: number },
  target: JobTarget = testTarget(1),
  encryption: StoredArtifact['encryption'] = null,
): StoredArtifact {
  const { storagePath, contentsPath, fileName, checksum, fileSize } = result;
  return { target, storagePath, contentsPath, fileName, checksum, fileSize, encryption };
}
