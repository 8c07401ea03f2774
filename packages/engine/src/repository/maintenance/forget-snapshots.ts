import { AppError } from '@backupx/contracts/errors';
import type { ForgetSnapshotsJob, ForgetSnapshotsResult, KeepPolicy } from '@backupx/contracts/jobs';
import type { Snapshot } from '../format/snapshot-file.ts';
import { snapshotInfo } from '../snapshots.ts';
import { believeDates } from './believe-dates.ts';
import { inOrder } from './in-order.ts';
import { applyKeepPolicy, type KeepDecision, type KeepOptions } from './keep-policy.ts';
import { FILES_AT_ONCE, type MaintenanceWork } from './maintenance-work.ts';
import { pickSnapshots, readSnapshots } from './read-snapshots.ts';

export type ForgetOptions = Pick<
  ForgetSnapshotsJob,
  'snapshotIds' | 'policy' | 'lockedIds' | 'candidateIds' | 'arrivals' | 'dryRun'
>;

/**
 * Removes snapshots, named ones or those a policy does not keep; what they hold stays until a prune. Needs a shared
 * lock only: nothing that others may be reading is removed but the snapshot's own small file. `kept` has all others
 * with a policy, without one those that are locked. Throws SNAPSHOT_NOT_FOUND, SNAPSHOT_AMBIGUOUS, INVALID_INPUT.
 */
export async function forgetSnapshots(work: MaintenanceWork, options: ForgetOptions): Promise<ForgetSnapshotsResult> {
  const { snapshots, damaged } = await readSnapshots(work);
  for (const { name, reason } of damaged) work.log?.('warn', `Snapshot ${name} cannot be read and stays: ${reason}`);
  const { kept, removed } = decide(snapshots, options, work);
  if (!options.dryRun) {
    const tasks = removed.map(({ id }) => async () => {
      await work.repository.removeFile('snapshots', id, work.signal);
      work.onItem?.(id);
    });
    for await (const _ of inOrder(tasks, FILES_AT_ONCE));
  }
  return {
    removed: removed.map(snapshotInfo),
    kept: kept.map(({ snapshot, reasons }) => ({ ...snapshotInfo(snapshot), reasons: [...reasons] })),
  };
}

function decide(
  snapshots: readonly Snapshot[],
  { snapshotIds, policy, lockedIds, candidateIds, arrivals }: ForgetOptions,
  { clock }: MaintenanceWork,
): KeepDecision<Snapshot> {
  const locked = new Set(lockedIds);
  if (snapshotIds) {
    const named = pickSnapshots(snapshots, snapshotIds);
    return {
      kept: named.filter(({ id }) => locked.has(id)).map((snapshot) => ({ snapshot, reasons: ['locked'] })),
      removed: named.filter(({ id }) => !locked.has(id)),
    };
  }
  if (policy) {
    const options = { now: clock.now(), lockedIds: locked };
    const decision = arrivals
      ? applyByArrival(snapshots, policy, { ...options, arrivals })
      : applyKeepPolicy(snapshots, policy, options);
    return candidateIds ? onlyAmong(new Set(candidateIds), decision) : decision;
  }
  const message = 'Name snapshots or give a policy.';
  throw new AppError('INVALID_INPUT', {}, { fields: [{ path: 'policy', code: 'required', message }] });
}

interface ByArrival extends KeepOptions {
  readonly arrivals: NonNullable<ForgetOptions['arrivals']>;
}

function applyByArrival(
  snapshots: readonly Snapshot[],
  policy: KeepPolicy,
  options: ByArrival,
): KeepDecision<Snapshot> {
  const arrivals = new Map(options.arrivals.map(({ id, ...arrival }) => [id, arrival]));
  const { believed, suspect } = believeDates(snapshots, arrivals, options.now);
  const own = new Map(snapshots.map((snapshot) => [snapshot.id, snapshot]));
  const asWritten = (snapshot: Snapshot) => own.get(snapshot.id) ?? snapshot;
  const { kept, removed } = applyKeepPolicy(believed, policy, options);
  return {
    kept: [
      ...kept.map(({ snapshot, reasons }) => ({ snapshot: asWritten(snapshot), reasons })),
      ...suspect.map((snapshot) => ({ snapshot, reasons: ['its date cannot be right'] })),
    ],
    removed: removed.map(asWritten),
  };
}

/** Of one that came meanwhile nobody has said yet whether it is locked. */
function onlyAmong(candidates: ReadonlySet<string>, { kept, removed }: KeepDecision<Snapshot>): KeepDecision<Snapshot> {
  const young = removed.filter(({ id }) => !candidates.has(id));
  return {
    kept: [...kept, ...young.map((snapshot) => ({ snapshot, reasons: ['made meanwhile'] }))],
    removed: removed.filter(({ id }) => candidates.has(id)),
  };
}
