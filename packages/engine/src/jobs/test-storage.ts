import { randomUUID } from 'node:crypto';
import { AppError } from '@backupx/contracts/errors';
import type { StorageUsage, TestStorageJob, TestStorageResult } from '@backupx/contracts/jobs';
import { systemClock } from '../ports/clock.ts';
import { orCancelled } from '../ports/pull-body.ts';
import type { Storage } from '../ports/storage.ts';
import { createProbeBytes, probeKeys, storageChecks } from '../ports/storage-checks.ts';
import type { JobContext } from './job-context.ts';

const STEP_TIMEOUT_MS = 30_000;

/**
 * Runs the checks of the storage port on small objects of its own. Throws STORAGE_TEST_FAILED, which names the step
 * that failed and why; the objects are removed in every case. A step may take 30 s.
 */
export async function testStorage(job: TestStorageJob, context: JobContext): Promise<TestStorageResult> {
  const steps: TestStorageResult['steps'] = [];
  let storage: Storage | null = null;
  const runStep = async <T>(name: string, work: (signal: AbortSignal) => Promise<T>): Promise<T> => {
    const startMs = systemClock.monotonicMs();
    const timeout = new AppError('TIMEOUT', { what: name, seconds: STEP_TIMEOUT_MS / 1000 });
    const deadline = new AbortController();
    const timer = setTimeout(() => deadline.abort(timeout), STEP_TIMEOUT_MS);
    const signal = AbortSignal.any([context.signal, deadline.signal]);
    try {
      const result = await orCancelled(work(signal), signal);
      steps.push({ name, durationMs: Math.round(systemClock.monotonicMs() - startMs) });
      return result;
    } catch (error) {
      if (context.signal.aborted) throw error;
      throw new AppError('STORAGE_TEST_FAILED', { step: name, reason: messageOf(error) }, { cause: error });
    } finally {
      clearTimeout(timer);
    }
  };
  const prefix = `.backupx-test/${randomUUID()}`;
  const bytes = createProbeBytes();
  try {
    const opened = await runStep('open', async () =>
      context.drivers.openStorage(job.storage, { attempts: context.storageAttempts }),
    );
    storage = opened;
    for (const check of storageChecks) {
      await runStep(check.name, (signal) => check.run(opened, { prefix, bytes, signal }));
    }
    const usage = opened.usage ? await runStep('usage', (signal) => readUsage(opened, signal)) : null;
    return { steps, usage };
  } finally {
    await clearAway(storage, prefix);
  }
}

async function clearAway(storage: Storage | null, prefix: string): Promise<void> {
  for (const key of probeKeys(prefix)) await storage?.delete(key, AbortSignal.timeout(STEP_TIMEOUT_MS)).catch(() => {});
  await storage?.close?.().catch(() => {});
}

async function readUsage(storage: Storage, signal: AbortSignal): Promise<StorageUsage | null> {
  return (await storage.usage?.(signal)) ?? null;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
