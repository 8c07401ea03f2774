/** Writes, reads back and deletes a small object in a storage, with an end in time. */
import { AppError, toAppError } from '@backupx/contracts/errors';
import type { TestStorageResult } from '@backupx/contracts/jobs';
import type { Engine } from '@backupx/engine/ports/engine';
import { silentReporter } from '@backupx/engine/ports/reporter';

/** A storage that takes longer than this for three small calls is no place for backups. */
export const TEST_TIMEOUT_MS = 60_000;

export interface StorageTestInput {
  readonly type: string;
  readonly config: Record<string, unknown>;
}

/** Throws STORAGE_TEST_FAILED or another storage error; TIMEOUT when the place hangs; CANCELLED with the caller. */
export async function testStorage(
  engine: Engine,
  storage: StorageTestInput,
  signal: AbortSignal,
  timeoutMs = TEST_TIMEOUT_MS,
): Promise<TestStorageResult> {
  const deadline = AbortSignal.timeout(timeoutMs);
  const either = AbortSignal.any([signal, deadline]);
  try {
    return await engine.run({ kind: 'test_storage', storage }, { reporter: silentReporter, signal: either });
  } catch (error) {
    if (deadline.aborted && !signal.aborted) {
      const seconds = Math.round(timeoutMs / 1000);
      throw new AppError('TIMEOUT', { what: 'The storage test', seconds }, { cause: error });
    }
    throw toAppError(error, 'STORAGE_FAILED', { reason: 'see the log of the server' });
  }
}
