/** Snapshots of a repository, joined with our records and with what the gateway saw come. */
import type { RepositorySnapshot } from '@backupx/contracts/api/repositories';
import type { SnapshotInfo } from '@backupx/contracts/jobs';
import type { Db } from '../../dispatch/ports.ts';
import { snapshotArrivalsStore } from '../../stores/snapshot-arrivals.store.ts';

interface KnownSnapshot {
  readonly recordId: number;
  readonly taskId: number;
  readonly taskName: string;
  readonly startedAt: string;
  readonly completedAt: string | null;
}

const HOUR_MS = 3_600_000;

/** Our records by snapshot id, copies in this repository included. */
async function knownSnapshots(db: Db, repositoryId: number): Promise<ReadonlyMap<string, KnownSnapshot>> {
  const rows = await db
    .selectFrom('records')
    .select(['id', 'task_id', 'task_name', 'started_at', 'completed_at', 'checksum', 'targets'])
    .where('repository_id', '>', 0)
    .where('storage_path', '!=', '')
    .where(({ or, eb, exists, selectFrom }) =>
      or([
        eb('repository_id', '=', repositoryId),
        exists(
          selectFrom('repository_leases')
            .select('repository_leases.id')
            .where('repository_leases.owner', '=', 'record')
            .whereRef('repository_leases.owner_id', '=', 'records.id')
            .where('repository_leases.repository_id', '=', repositoryId),
        ),
      ]),
    )
    .execute();
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
    for (const [, id = ''] of row.targets.matchAll(/snapshots\/([0-9a-f]{64})/g)) known.set(id, record);
  }
  return known;
}

/** Its date says something else than the master's clock. A snapshot is dated by the start of its run. */
function isSuspect(time: string, from: string, until: string): boolean {
  const at = Date.parse(time);
  return Number.isNaN(at) || at < Date.parse(from) - HOUR_MS || at > Date.parse(until) + HOUR_MS;
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
    const from = record?.startedAt ?? arrivedAt;
    return {
      ...snapshot,
      recordId: record?.recordId ?? null,
      taskId: record?.taskId ?? null,
      taskName: record?.taskName ?? '',
      arrivedAt,
      isTimeSuspect: from !== null && isSuspect(snapshot.time, from, arrivedAt ?? from),
    };
  });
}
