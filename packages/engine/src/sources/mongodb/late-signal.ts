/** Most commands that change something are over by then. */
const LATE_MS = 5000;

/** One for each: a restore asks for every collection. */
const lateSignals = new WeakMap<AbortSignal, AbortSignal>();

/**
 * Follows `signal` some seconds later. A server goes on with a command whose client has left: an insert that nobody waits
 * for would make a collection anew after the cancelled restore has dropped it.
 */
export function lateSignal(signal: AbortSignal): AbortSignal {
  const known = lateSignals.get(signal);
  if (known) return known;
  const late = new AbortController();
  const follow = () => {
    const timer = setTimeout(() => late.abort(signal.reason), LATE_MS);
    timer.unref();
  };
  if (signal.aborted) follow();
  else signal.addEventListener('abort', follow, { once: true });
  lateSignals.set(signal, late.signal);
  return late.signal;
}
