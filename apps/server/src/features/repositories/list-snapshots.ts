/** Snapshots of a repository, joined with our records and with what the gateway saw come. */
import type { RepositorySnapshot } from '@backupx/contracts/api/repositories';
import type { SnapshotInfo } from '@backupx/contracts/jobs';
import { isDateSuspect } from '@backupx/contracts/snapshot-date';
import type { Db } from '../../dispatch/ports.ts';
import { snapshotsIn } from '../../dispatch/repositories/snapshots-in.ts';
import { snapshotArrivalsStore } from '../../stores/snapshot-arrivals.store.ts';

interface KnownSnapshot {
  readonly recordId: number;
  readonly taskId: number;
  readonly taskName: string;
  readonly startedAt: string;
  readonly completedAt: string | null;
}

/** Records with a snapshot in it, copies included: each run keeps its leases. Exported for the test of its query plan. */
export function recordsInRepositoryQuery(db: Db, repositoryId: number) {
  return db
    .selectFrom('records')
    .select(['id', 'task_id', 'task_name', 'started_at', 'completed_at', 'checksum', 'targets'])
    .where('storage_path', '!=', '')
    .where('id', 'in', ({ selectFrom }) =>
      selectFrom('repository_leases')
        .select('repository_leases.owner_id')
        .where('repository_leases.repository_id', '=', repositoryId)
        .where('repository_leases.owner', '=', 'record'),
    );
}

/** Our records by snapshot id. */
async function knownSnapshots(db: Db, repositoryId: number): Promise<ReadonlyMap<string, KnownSnapshot>> {
  const rows = await recordsInRepositoryQuery(db, repositoryId).execute();
  const known = new Map<string, KnownSnapshot>();
  for (const row of rows) {
    const record = {
      recordId: row.id,
      taskId: row.task_id,
      taskName: row.task_name,
      startedAt: row.started_at,
      completedAt: row.completed_at,
    };
    known.set(row.checksum, record);
    for (const id of snapshotsIn(row.targets)) known.set(id, record);
  }
  return known;
}

export async function joinSnapshots(
  db: Db,
  repositoryId: number,
  snapshots: readonly SnapshotInfo[],
): Promise<RepositorySnapshot[]> {
  const known = await knownSnapshots(db, repositoryId);
  const arrivals = await snapshotArrivalsStore.ofRepository(db, repositoryId);
  return snapshots.map((snapshot) => {
    const record = known.get(snapshot.id);
    const arrivedAt = arrivals.get(snapshot.id) ?? record?.completedAt ?? null;
    const startedAt = record?.startedAt ?? null;
    const arrival = arrivedAt ?? startedAt;
    return {
      ...snapshot,
      recordId: record?.recordId ?? null,
      taskId: record?.taskId ?? null,
      taskName: record?.taskName ?? '',
      arrivedAt,
      isTimeSuspect: arrival !== null && isDateSuspect(snapshot.time, { startedAt, arrivedAt: arrival }),
    };
  });
}
