import { AppError } from '@backupx/contracts/errors';
import { isOutage } from '../ports/is-outage.ts';
import { throwIfCancelled } from '../ports/pull-body.ts';
import type { Storage } from '../ports/storage.ts';

export interface PackRange {
  readonly key: string;
  readonly start: number;
  readonly end: number;
}

/**
 * Reads a range of an object into `target`; answers the bytes read, fewer when the object ends before the range does.
 * A connection that breaks in the middle is taken up again where it broke, as long as each try brings something.
 */
export async function fetchRange(
  storage: Storage,
  { key, start, end }: PackRange,
  target: Uint8Array,
  signal: AbortSignal,
): Promise<number> {
  if (storage.readInto) return await storage.readInto(key, target.subarray(0, end - start), { signal, start });
  let done = 0;
  for (let doneBefore = -1; done > doneBefore; ) {
    doneBefore = done;
    try {
      for await (const chunk of storage.get(key, { signal, range: { start: start + done, end } })) {
        const part = chunk.subarray(0, end - start - done);
        target.set(part, done);
        done += part.byteLength;
      }
      return done;
    } catch (error) {
      throwIfCancelled(signal);
      const mayGoOn = error instanceof AppError && error.retryable && done > doneBefore;
      // One that is patient went on by itself: another try would wait as long again.
      if (!mayGoOn || (storage.isPatient && isOutage(error))) throw error;
    }
  }
  return done;
}
