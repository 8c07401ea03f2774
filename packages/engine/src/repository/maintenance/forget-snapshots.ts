import { AppError } from '@backupx/contracts/errors';
import type { ForgetSnapshotsJob, ForgetSnapshotsResult } from '@backupx/contracts/jobs';
import type { Snapshot } from '../format/snapshot-file.ts';
import { snapshotInfo } from '../snapshots.ts';
import { inOrder } from './in-order.ts';
import { applyKeepPolicy, type KeepDecision } from './keep-policy.ts';
import { FILES_AT_ONCE, type MaintenanceWork } from './maintenance-work.ts';
import { pickSnapshots, readSnapshots } from './read-snapshots.ts';

export type ForgetOptions = Pick<
  ForgetSnapshotsJob,
  'snapshotIds' | 'policy' | 'lockedIds' | 'candidateIds' | 'dryRun'
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
  { snapshotIds, policy, lockedIds, candidateIds }: ForgetOptions,
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
    const decision = applyKeepPolicy(snapshots, policy, { now: clock.now(), lockedIds: locked });
    return candidateIds ? onlyAmong(new Set(candidateIds), decision) : decision;
  }
  const message = 'Name snapshots or give a policy.';
  throw new AppError('INVALID_INPUT', {}, { fields: [{ path: 'policy', code: 'required', message }] });
}

/** Of one that came meanwhile nobody has said yet whether it is locked. */
function onlyAmong(candidates: ReadonlySet<string>, { kept, removed }: KeepDecision<Snapshot>): KeepDecision<Snapshot> {
  const young = removed.filter(({ id }) => !candidates.has(id));
  return {
    kept: [...kept, ...young.map((snapshot) => ({ snapshot, reasons: ['made meanwhile'] }))],
    removed: removed.filter(({ id }) => candidates.has(id)),
  };
}
