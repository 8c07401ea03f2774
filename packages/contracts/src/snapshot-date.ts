/** When a snapshot came, by the master's clock: whoever writes into a repository can put any date into a snapshot, but not this one. */
export interface SnapshotArrival {
  /** Start of the run that made it; null where only its arrival was seen. */
  readonly startedAt: string | null;
  readonly arrivedAt: string;
}

/** Clocks of clients are off. */
const HOUR_MS = 3_600_000;
/** A snapshot is dated by the start of its run; none that we did not see begin takes longer than this. */
const LONGEST_RUN_MS = 7 * 24 * HOUR_MS;

/** Whether the date in a snapshot cannot be right, given when it came. */
export function isDateSuspect(time: string, { startedAt, arrivedAt }: SnapshotArrival): boolean {
  const at = Date.parse(time);
  const arrivedMs = Date.parse(arrivedAt);
  const earliestMs = startedAt === null ? arrivedMs - LONGEST_RUN_MS : Date.parse(startedAt) - HOUR_MS;
  return Number.isNaN(at) || at < earliestMs || at > arrivedMs + HOUR_MS;
}
