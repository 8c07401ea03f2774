import { systemClock } from '../ports/clock.ts';
import { throwIfCancelled } from '../ports/pull-body.ts';
import type { PlaceOptions } from './read-place.ts';

const RETRY_MS = 100;
/** Not there yet, nobody at the other end yet. */
const PASSING = new Set(['ENOENT', 'ENXIO', 'EAGAIN', 'EINTR']);

/** Opens something that the database is about to make or to open; tries until the time is over. */
export async function openPatiently(open: () => number, path: string, options: PlaceOptions): Promise<number> {
  const { signal, openTimeoutMs, clock = systemClock } = options;
  const deadline = clock.monotonicMs() + openTimeoutMs;
  for (;;) {
    throwIfCancelled(signal);
    try {
      return open();
    } catch (error) {
      const isPassing = PASSING.has((error as NodeJS.ErrnoException).code ?? '');
      if (!isPassing) throw error;
      if (clock.monotonicMs() >= deadline) throw new Error(`${path} could not be opened in time`, { cause: error });
    }
    await clock.sleep(RETRY_MS, signal).catch(() => {});
  }
}
