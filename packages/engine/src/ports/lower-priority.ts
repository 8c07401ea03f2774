import { stat } from 'node:fs';
import { getPriority, setPriority } from 'node:os';

/**
 * Lets others go first: `nice` from 0 (nothing changes) to 19. Where a priority belongs to a thread (Linux) it is that of
 * the calling one, and of the threads and programs it starts from now on; elsewhere nothing happens, since all of the
 * process would be slowed down. Nothing happens either where it is that low already (`nice`, a unit of systemd): only root
 * may raise it again.
 */
export function lowerPriority(nice: number): void {
  if (process.platform === 'linux' && nice > getPriority()) setPriority(nice);
}

/** The threads that all of a process share are started by whoever needs them first, with its priority: so let it be us. */
export function startSharedThreads(): void {
  stat('.', () => {});
}
