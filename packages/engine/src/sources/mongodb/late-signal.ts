/** Most commands that change something are over by then. */
const LATE_MS = 5000;

/**
 * Follows `signal` some seconds later. A server goes on with a command whose client has left: an insert that nobody waits
 * for would make a collection anew after the cancelled restore has dropped it.
 */
export function lateSignal(signal: AbortSignal): AbortSignal {
  const late = new AbortController();
  const follow = () => {
    const timer = setTimeout(() => late.abort(signal.reason), LATE_MS);
    timer.unref();
  };
  if (signal.aborted) follow();
  else signal.addEventListener('abort', follow, { once: true });
  return late.signal;
}
