import { stat } from 'node:fs';
import { setPriority } from 'node:os';

/**
 * Lets others go first: `nice` from 0 (nothing changes) to 19. Where a priority belongs to a thread (Linux) it is that of
 * the calling one, and of the threads and programs it starts from now on; elsewhere nothing happens, since all of the
 * process would be slowed down.
 */
export function lowerPriority(nice: number): void {
  if (nice > 0 && process.platform === 'linux') setPriority(nice);
}

/** The threads that all of a process share are started by whoever needs them first, with its priority: so let it be us. */
export function startSharedThreads(): void {
  stat('.', () => {});
}
