/** Turns a maintenance record into the job that does it. */
import { AppError } from '@backupx/contracts/errors';
import type { ForgetSnapshotsJob, MaintenanceJob, PruneRepositoryJob } from '@backupx/contracts/jobs';
import { condemnedPacksStore } from '../../stores/condemned-packs.store.ts';
import { type MaintenanceRow, maintenanceRecordsStore } from '../../stores/maintenance-records.store.ts';
import { repositoryLeasesStore } from '../../stores/repository-leases.store.ts';
import { snapshotArrivalsStore } from '../../stores/snapshot-arrivals.store.ts';
import type { Db } from '../ports.ts';
import type { RepositoryDoor } from './repository-door.ts';
import { snapshotsIn } from './snapshots-in.ts';
import { assertNoSnapshotInTheMaking, type MaintenanceOptions } from './start-maintenance.ts';

interface MaintenanceJobDeps {
  readonly db: Db;
  readonly door: RepositoryDoor;
}

type Arrivals = NonNullable<ForgetSnapshotsJob['arrivals']>;

/** Snapshots that records of ours point to: they go with their records. With the times of their runs. */
async function snapshotsOfRecords(db: Db, repositoryId: number): Promise<Arrivals> {
  const rows = await db
    .selectFrom('records')
    .select(['checksum', 'targets', 'started_at', 'completed_at'])
    .where('repository_id', '=', repositoryId)
    .where('storage_path', '!=', '')
    .execute();
  const copies = await db
    .selectFrom('records')
    .select(['targets', 'started_at', 'completed_at'])
    .where('repository_id', '>', 0)
    .where('repository_id', '!=', repositoryId)
    .where('storage_path', '!=', '')
    .execute();
  const arrivals = new Map<string, Arrivals[number]>();
  const add = (id: string, row: { started_at: string; completed_at: string | null }) =>
    arrivals.set(id, { id, startedAt: row.started_at, arrivedAt: row.completed_at ?? row.started_at });
  for (const row of [...copies, ...rows]) {
    for (const id of snapshotsIn(row.targets)) add(id, row);
  }
  for (const row of rows) if (row.checksum !== '') add(row.checksum, row);
  return [...arrivals.values()];
}

/** The same of snapshots that others sent: the gateway saw them come. */
async function snapshotsOfOthers(db: Db, repositoryId: number): Promise<Arrivals> {
  const seen = await snapshotArrivalsStore.ofRepository(db, repositoryId);
  return [...seen].map(([id, arrivedAt]) => ({ id, startedAt: null, arrivedAt }));
}

/** Those that know of the condemned packs. Agents that do not know the second way of saying it are told by the first. */
async function youngerLeases(db: Db, repositoryId: number) {
  const lastOlderLease = (await condemnedPacksStore.lastLeaseId(db, repositoryId)) ?? 0;
  const open = await repositoryLeasesStore.openOfRepository(db, repositoryId);
  return { lastOlderLease, youngerLeases: open.map((lease) => lease.id).filter((id) => id > lastOlderLease) };
}

export async function maintenanceJob(deps: MaintenanceJobDeps, maintenanceRecordId: number): Promise<MaintenanceJob> {
  const { db, door } = deps;
  const record = await maintenanceRecordsStore.get(db, maintenanceRecordId);
  if (record.status !== 'running') throw new AppError('BACKUP_RECORD_NOT_ACTIVE');
  const leases = await repositoryLeasesStore.ofHolder(db, { owner: 'maintenance', ownerId: record.id });
  const leaseOf = (repositoryId: number) => leases.find((lease) => lease.repository_id === repositoryId)?.id ?? 0;
  const open = (repositoryId: number) => door.access(repositoryId, record.node_id, leaseOf(repositoryId));
  const options = JSON.parse(record.options) as MaintenanceOptions;
  return await jobOf(db, { record, options, open });
}

interface Opened {
  readonly record: MaintenanceRow;
  readonly options: MaintenanceOptions;
  readonly open: (repositoryId: number) => ReturnType<RepositoryDoor['access']>;
}

async function jobOf(db: Db, { record, options, open }: Opened): Promise<MaintenanceJob> {
  const repository = await open(record.repository_id);
  const prune = { kind: 'prune_repository', repository, maxUnusedShare: 0.05, maxRepackBytes: null } as const;
  switch (options.kind) {
    case 'check':
      return { kind: 'check_repository', repository, read: options.read };
    case 'prune': {
      const { maxUnusedShare, dryRun } = options;
      return { ...prune, maxUnusedShare, dryRun, phase: 'mark', youngerLeases: [] } satisfies PruneRepositoryJob;
    }
    case 'sweep': {
      const younger = await youngerLeases(db, record.repository_id);
      return { ...prune, dryRun: false, phase: 'sweep', ...younger } satisfies PruneRepositoryJob;
    }
    case 'repair': {
      const { what, readAllPacks, forget, dryRun } = options;
      return { kind: 'repair_repository', repository, what, readAllPacks, forget, dryRun };
    }
    case 'copy': {
      const snapshotIds = options.snapshotIds === null ? null : [...options.snapshotIds];
      return { kind: 'copy_snapshots', from: repository, to: await open(options.toRepositoryId), snapshotIds };
    }
    case 'forget': {
      const { policy, dryRun } = options;
      // It may have waited since it was started.
      if (!dryRun) await assertNoSnapshotInTheMaking(db, record.repository_id);
      const snapshotIds = options.snapshotIds === null ? null : [...options.snapshotIds];
      const ours = await snapshotsOfRecords(db, record.repository_id);
      const lockedIds = ours.map(({ id }) => id);
      const arrivals = [...(await snapshotsOfOthers(db, record.repository_id)), ...ours];
      // One that a backup saves from now on is in neither list.
      const candidates = options.candidateIds ? { candidateIds: [...options.candidateIds] } : {};
      const known = { lockedIds, arrivals, ...candidates };
      return { kind: 'forget_snapshots', repository, snapshotIds, policy, ...known, dryRun };
    }
  }
}
