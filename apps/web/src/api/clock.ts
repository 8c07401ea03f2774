/** Milliseconds since the epoch; the one place of the console that reads the clock. */
export function now(): number {
  return Math.round(performance.timeOrigin + performance.now());
}
