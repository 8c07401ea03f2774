import { randomBytes, randomUUID } from 'node:crypto';
import { AppError } from '@backupx/contracts/errors';
import type { StorageUsage, TestStorageJob, TestStorageResult } from '@backupx/contracts/jobs';
import { systemClock } from '../ports/clock.ts';
import { orCancelled } from '../ports/pull-body.ts';
import type { ByteRange, Storage } from '../ports/storage.ts';
import type { JobContext } from './job-context.ts';

const PROBE_BYTES = 64 * 1024;
const STEP_TIMEOUT_MS = 30_000;
const RANGE = { start: 1000, end: 3000 } as const;

/**
 * Writes, reads, reads a part of, lists and deletes a small object. Throws STORAGE_TEST_FAILED, which names the step
 * that failed and why; the probe object is removed in every case. A step may take 30 s.
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
  const key = `.backupx-test/${randomUUID()}`;
  try {
    const opened = await runStep('open', async () =>
      context.drivers.openStorage(job.storage, { attempts: context.storageAttempts }),
    );
    storage = opened;
    await probe(opened, key, runStep);
    const usage = opened.usage ? await runStep('usage', (signal) => readUsage(opened, signal)) : null;
    return { steps, usage };
  } finally {
    const removal = storage?.delete(key, AbortSignal.timeout(STEP_TIMEOUT_MS));
    await removal?.catch(() => {});
    await storage?.close?.().catch(() => {});
  }
}

type RunStep = <T>(name: string, work: (signal: AbortSignal) => Promise<T>) => Promise<T>;

async function probe(storage: Storage, key: string, runStep: RunStep): Promise<void> {
  const bytes = randomBytes(PROBE_BYTES);
  await runStep('write', (signal) => storage.put(key, once(bytes), { signal, sizeBytes: bytes.byteLength }));
  await runStep('read', async (signal) => assertSame(await readAll(storage, key, signal), bytes));
  await runStep('read range', async (signal) => {
    assertSame(await readAll(storage, key, signal, RANGE), bytes.subarray(RANGE.start, RANGE.end));
  });
  await runStep('list', async (signal) => {
    for await (const object of storage.list(key, signal)) if (object.key === key) return;
    throw new Error('the object that was just written is not listed');
  });
  await runStep('delete', async (signal) => {
    await storage.delete(key, signal);
    for await (const object of storage.list(key, signal)) {
      if (object.key === key) throw new Error('the object is still there after it was deleted');
    }
  });
}

async function readUsage(storage: Storage, signal: AbortSignal): Promise<StorageUsage | null> {
  return (await storage.usage?.(signal)) ?? null;
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

async function readAll(storage: Storage, key: string, signal: AbortSignal, range?: ByteRange): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of storage.get(key, { signal, range })) chunks.push(Uint8Array.from(chunk));
  return Buffer.concat(chunks);
}

function assertSame(got: Buffer, wanted: Buffer): void {
  if (!got.equals(wanted)) throw new Error('what was read is not what was written');
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
