/** An engine for tests: each kind of job does what the test says. */

import { AppError } from '@backupx/contracts/errors';
import type { Job, JobKind } from '@backupx/contracts/jobs';
import type { Engine, RunJobOptions } from '@backupx/engine/ports/engine';

export type FakeRun = (job: Job, options: RunJobOptions) => Promise<unknown>;

export interface FakeEngine extends Engine {
  readonly jobs: Job[];
}

export function createFakeEngine(runs: Partial<Record<JobKind, FakeRun>>): FakeEngine {
  const jobs: Job[] = [];
  return {
    jobs,
    manifests: { sources: [{ kind: 'source', type: 'file', title: 'Files', fields: [] }], storages: [] },
    run: (async (job: Job, options: RunJobOptions) => {
      jobs.push(job);
      const run = runs[job.kind];
      if (!run) throw new AppError('NOT_SUPPORTED', { what: job.kind, hint: '' });
      return run(job, options);
    }) as Engine['run'],
    parseSettings: () => ({}),
    targetSettings: async () => ({}),
    openStorage: () => {
      throw new AppError('NOT_SUPPORTED', { what: 'openStorage', hint: '' });
    },
    openSnapshotStream: () => {
      throw new AppError('NOT_SUPPORTED', { what: 'openSnapshotStream', hint: '' });
    },
    decrypt: (body) => body,
    createEncryptionKey: async () => ({ identity: '', recipient: '' }),
    close: async () => {},
  };
}

/** A backup that ends when `finish` is called or the signal is aborted. */
export function hangingBackup(): { run: FakeRun; finish: () => void } {
  let finish = () => {};
  const done = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const run: FakeRun = (_job, { signal }) =>
    new Promise((resolve, reject) => {
      void done.then(() => resolve(backupResult));
      signal.addEventListener('abort', () => reject(new AppError('CANCELLED')), { once: true });
    });
  return { run, finish: () => finish() };
}

export const backupResult = {
  status: 'success',
  fileName: 'web_20260101_000000.tar.zst',
  storagePath: 'BackupX/file/260101/records/31/web_20260101_000000.tar.zst',
  contentsPath: 'BackupX/file/260101/records/31/web_20260101_000000.tar.zst.contents',
  fileSize: 1234,
  checksum: 'ab'.repeat(32),
  sourceBytes: 5000,
  itemCount: 12,
  targets: [{ targetId: 4, targetName: 'S3', status: 'success', storagePath: 'p', fileSize: 1234 }],
  problems: [],
  problemCount: 0,
};
