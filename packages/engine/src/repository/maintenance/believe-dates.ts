/**
 * Dates of snapshots as a policy may count them. Whoever may add to a repository can put any date into a snapshot, and
 * with it would decide which of the good ones "the last three" are. So one whose arrival was seen counts by that, and
 * one whose date cannot be right does not count at all.
 */
import { isDateSuspect, type SnapshotArrival } from '@backupx/contracts/snapshot-date';
import type { Snapshot } from '../format/snapshot-file.ts';

export interface BelievedDates {
  /** The same snapshots with the time to count them by. */
  readonly believed: readonly Snapshot[];
  /** Neither counted nor removed; as they are. */
  readonly suspect: readonly Snapshot[];
}

/** `arrivals` by id; of the others only the future is not believed. */
export function believeDates(
  snapshots: readonly Snapshot[],
  arrivals: ReadonlyMap<string, SnapshotArrival>,
  now: Date,
): BelievedDates {
  const believed: Snapshot[] = [];
  const suspect: Snapshot[] = [];
  for (const snapshot of snapshots) {
    const arrival = arrivals.get(snapshot.id);
    // A run of whose beginning we know is one of ours.
    const isOurs = arrival ? arrival.startedAt !== null : true;
    const from = arrival ?? { startedAt: new Date(0).toISOString(), arrivedAt: now.toISOString() };
    if (isDateSuspect(snapshot.time, from)) suspect.push(snapshot);
    // In UTC: an offset of the writer's choice would make two days of one.
    else believed.push(isOurs ? snapshot : { ...snapshot, time: from.arrivedAt });
  }
  return { believed, suspect };
}
