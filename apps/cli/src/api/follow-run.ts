/** Watches a backup, a restore or a verification until it has ended. */
import { type BackupRecord, type RestoreRecord, recordRoutes, restoreRoutes } from '@backupx/contracts/api/records';
import { type VerifyRecord, verifyRoutes } from '@backupx/contracts/api/verifications';
import { AppError } from '@backupx/contracts/errors';
import type { JobProgress } from '@backupx/contracts/jobs';
import { isFinalStatus } from '@backupx/contracts/record-status';
import type { ApiClient } from './api-client.ts';

export interface FollowOptions {
  readonly onProgress: (progress: JobProgress) => void;
  readonly signal?: AbortSignal;
  readonly everyMs?: number;
}

/** A master that restarts is waited for this long. */
const patienceMs = 60_000;

export function followBackup(client: ApiClient, id: number, options: FollowOptions): Promise<BackupRecord> {
  return follow(() => client.call(recordRoutes.get, { params: { id } }), options);
}

export function followRestore(client: ApiClient, id: number, options: FollowOptions): Promise<RestoreRecord> {
  return follow(() => client.call(restoreRoutes.get, { params: { id } }), options);
}

export function followVerification(client: ApiClient, id: number, options: FollowOptions): Promise<VerifyRecord> {
  return follow(() => client.call(verifyRoutes.get, { params: { id } }), options);
}

async function follow<T extends BackupRecord | RestoreRecord | VerifyRecord>(
  ask: () => Promise<T>,
  options: FollowOptions,
): Promise<T> {
  const everyMs = options.everyMs ?? 1000;
  let silentMs = 0;
  for (;;) {
    options.signal?.throwIfAborted();
    const run = await ask().catch((error: unknown) => {
      const isOutage = error instanceof AppError && error.retryable && silentMs < patienceMs;
      if (!isOutage) throw error;
      return null;
    });
    silentMs = run ? 0 : silentMs + everyMs;
    if (run?.progress) options.onProgress(run.progress);
    if (run && isFinalStatus(run.status)) return run;
    await pause(everyMs, options.signal);
  }
}

function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener('abort', done, { once: true });
  });
}
