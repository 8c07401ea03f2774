import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { AppError } from '@backupx/contracts/errors';
import { afterAll, describe, expect, it } from 'vitest';
import type { Storage } from '../ports/storage.ts';
import { sourceDrivers } from '../sources/index.ts';
import { withRetry } from '../storages/decorators/with-retry.ts';
import { backupJob, createJobFixture, testTarget } from '../testing/job-fixture.ts';
import { createMemoryStorage } from '../testing/memory-storage.ts';
import type { JobContext, StorageLimits } from './job-context.ts';
import { runBackup } from './run-backup.ts';
import { isPatient } from './storage-limits.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'backupx-limits-'));
writeFileSync(path.join(folder, 'file'), 'content');
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Nobody answers for its first calls. */
function awayFor(calls: number): Storage {
  const memory = createMemoryStorage();
  let left = calls;
  return {
    ...memory,
    async put(key, body, options) {
      left -= 1;
      if (left >= 0) throw new AppError('STORAGE_UNREACHABLE', { reason: 'away' });
      await memory.put(key, body, options);
    },
  };
}

/** With one attempt and ten minutes of patience. */
function patientContext(storages: Record<string, Storage>): { context: JobContext; logs: string[] } {
  const fixture = createJobFixture({ storages, sources: sourceDrivers });
  const { drivers } = fixture.context;
  const openStorage = (target: Parameters<typeof drivers.openStorage>[0], limits: StorageLimits) => {
    const { attempts = 4, patienceMs, onOutage } = limits;
    return withRetry(drivers.openStorage(target, limits), { attempts, patienceMs, onOutage, firstDelayMs: 1 });
  };
  const more = { storageAttempts: 1, storagePatienceMs: 600_000 };
  return { context: { ...fixture.context, ...more, drivers: { ...drivers, openStorage } }, logs: fixture.logs };
}

describe('a backup into archives', () => {
  it('waits for its only target and says so', async () => {
    const { context, logs } = patientContext({ s1: awayFor(3) });
    expect(await runBackup(backupJob([folder]), context)).toMatchObject({ status: 'success' });
    expect(logs.filter((line) => line.includes('target 1'))).toEqual([
      expect.stringMatching(/^warn: target 1: .*away.* Trying again for up to 10 minutes\.$/),
      'info: target 1 answers again.',
    ]);
  });

  it('leaves one of several behind, so that the others do not stand still', async () => {
    const { context, logs } = patientContext({ s1: createMemoryStorage(), s2: awayFor(Number.POSITIVE_INFINITY) });
    const result = await runBackup(backupJob([folder], { targets: [testTarget(1), testTarget(2)] }), context);
    expect(result.status).toBe('warning');
    expect(result.targets).toMatchObject([{ status: 'success' }, { status: 'failed' }]);
    expect(logs.join()).not.toContain('Trying again');
  });
});

it('only work that nobody sits and waits for is patient', () => {
  const patient = ['run_backup', 'run_restore', 'verify_artifact', 'prune_repository', 'copy_snapshots'] as const;
  const hurried = ['test_storage', 'browse_artifact', 'list_snapshots', 'init_repository', 'repository_keys'] as const;
  expect(patient.filter((kind) => isPatient({ kind }))).toEqual(patient);
  expect(hurried.filter((kind) => isPatient({ kind }))).toEqual([]);
  expect(isPatient({ kind: 'prune_repository', dryRun: true })).toBe(false);
  const intoRepository = (dryRun: boolean) =>
    backupJob([], { snapshot: { hostname: '', tags: [], parentId: null, dryRun } });
  expect([false, true].map((dryRun) => isPatient(intoRepository(dryRun)))).toEqual([true, false]);
});
