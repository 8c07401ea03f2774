import { type AppError, toAppError } from '@backupx/contracts/errors';
import type { JobTarget } from '@backupx/contracts/jobs';
import { countAndHash, type StreamDigest } from '../archive/checksum.ts';
import { cancelledError } from '../ports/pull-body.ts';
import type { Storage } from '../ports/storage.ts';
import { teeStream } from './tee-stream.ts';

/** One target during a run. `error` set: it failed and gets nothing more. */
export interface OpenTarget {
  readonly target: JobTarget;
  readonly storage: Storage;
  readonly storedKeys: string[];
  error: AppError | null;
}

export interface StoreOptions {
  readonly key: string;
  readonly signal: AbortSignal;
  /** Hears how many bytes went out so far. */
  onBytes(total: number): void;
  onTargetFailed(target: OpenTarget, error: AppError): void;
}

/**
 * Stores one body under `key` in all targets at once, at the speed of the slowest. A target that fails is left behind,
 * the others go on. Throws what the body throws, CANCELLED, and the first target's error when all failed.
 */
export async function storeEverywhere(
  body: AsyncIterable<Uint8Array>,
  targets: readonly OpenTarget[],
  options: StoreOptions,
): Promise<StreamDigest> {
  const { key, signal } = options;
  const tap = countAndHash(body);
  const tee = teeStream(
    reportBytes(tap, () => options.onBytes(tap.bytesSoFar)),
    targets.length,
  );
  await Promise.all(
    targets.map(async (item, index) => {
      try {
        await item.storage.put(key, tee.branches[index] ?? emptyBody(), { signal });
        item.storedKeys.push(key);
      } catch (error) {
        if (tee.failure || signal.aborted) return;
        item.error = toAppError(error, 'STORAGE_FAILED', { reason: reasonText(error) });
        options.onTargetFailed(item, item.error);
      } finally {
        tee.drop(index);
      }
    }),
  );
  if (tee.failure) throw tee.failure.error;
  if (signal.aborted) throw cancelledError(signal);
  const firstError = targets[0]?.error;
  if (firstError && targets.every((item) => item.error)) throw firstError;
  return tap.digest();
}

async function* reportBytes(body: AsyncIterable<Uint8Array>, report: () => void): AsyncGenerator<Uint8Array> {
  for await (const chunk of body) {
    report();
    yield chunk;
  }
}

async function* emptyBody(): AsyncGenerator<Uint8Array> {}

function reasonText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
