import { closeSync, constants, openSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';

let isDone = false;

/**
 * Keeps this process alive through SIGHUP, which would end it. `restic unlock` sends that signal to every process of its
 * host that holds a lock, just to see whether it exists; restic ignores it, and expects the same of others. A terminal
 * that goes away sends it too: then the process stops as with SIGTERM. Idempotent; of use in a main thread only, since
 * other threads get no signals.
 */
export function outliveHangups(): void {
  if (isDone || !isMainThread) return;
  isDone = true;
  const hadTerminal = hasTerminal();
  process.on('SIGHUP', () => {
    if (hadTerminal && !hasTerminal()) process.kill(process.pid, 'SIGTERM');
  });
}

function hasTerminal(): boolean {
  try {
    closeSync(openSync('/dev/tty', constants.O_RDONLY | constants.O_NOCTTY));
    return true;
  } catch {
    return false;
  }
}
