/** The one place of the command line that asks what time it is. */
export const systemClock = {
  now: () => new Date(),
  monotonicMs: () => performance.now(),
};
