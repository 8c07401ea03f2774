/** Creates a maintenance record with its leases, and for a remote node its command, in one transaction. */
import type { maintenanceTriggerSchema } from '@backupx/contracts/api/maintenance';
import { AppError } from '@backupx/contracts/errors';
import type { CheckRepositoryJob, KeepPolicy, MaintenanceJob } from '@backupx/contracts/jobs';
import type { Clock } from '@backupx/engine/ports/clock';
import type { z } from 'zod';
import { condemnedPacksStore } from '../../stores/condemned-packs.store.ts';
import { isUniqueViolation } from '../../stores/is-unique-violation.ts';
import { maintenanceRecordsStore } from '../../stores/maintenance-records.store.ts';
import { type RepositoryRow, repositoriesStore } from '../../stores/repositories.store.ts';
import { repositoryLeasesStore } from '../../stores/repository-leases.store.ts';
import { assertKnowsJob } from '../choose-node.ts';
import type { CommandQueue, Db, NodeDirectory, NodeState } from '../ports.ts';
import { assertReachable } from './plan-repositories.ts';
import { keeperOf } from './repository-place.ts';

export type MaintenanceTrigger = z.output<typeof maintenanceTriggerSchema>;

/** What is asked for; kept in the record, turned into a job when it runs. */
export type MaintenanceOptions =
  | { readonly kind: 'check'; readonly read: CheckRepositoryJob['read'] }
  | { readonly kind: 'prune'; readonly maxUnusedShare: number; readonly dryRun: boolean }
  | { readonly kind: 'sweep' }
  | {
      readonly kind: 'repair';
      readonly what: 'index' | 'snapshots';
      readonly readAllPacks: boolean;
      readonly forget: boolean;
      readonly dryRun: boolean;
    }
  | { readonly kind: 'copy'; readonly toRepositoryId: number; readonly snapshotIds: readonly string[] | null }
  | {
      readonly kind: 'forget';
      readonly snapshotIds: readonly string[] | null;
      readonly policy: KeepPolicy | null;
      /** Snapshots that were there before it was asked which of them belong to records. */
      readonly candidateIds?: readonly string[];
      readonly dryRun: boolean;
    };

export interface StartMaintenanceDeps {
  readonly db: Db;
  readonly clock: Clock;
  readonly queue: CommandQueue;
  readonly nodes: NodeDirectory;
}

export interface MaintenanceStart {
  readonly repositoryId: number;
  readonly options: MaintenanceOptions;
  readonly trigger: MaintenanceTrigger;
  readonly requestedBy: string;
}

/** The engine's word for each kind. */
const jobKinds: Readonly<Record<MaintenanceOptions['kind'], MaintenanceJob['kind']>> = {
  check: 'check_repository',
  prune: 'prune_repository',
  sweep: 'prune_repository',
  repair: 'repair_repository',
  copy: 'copy_snapshots',
  forget: 'forget_snapshots',
};

function newRecord(start: MaintenanceStart, row: RepositoryRow, nodeId: number, now: string) {
  return {
    repository_id: row.id,
    repository_name: row.name,
    node_id: nodeId,
    kind: start.options.kind,
    trigger: start.trigger,
    status: 'running',
    options: JSON.stringify(start.options),
    result: '',
    summary: '',
    problem_count: 0,
    error_message: '',
    error_code: '',
    error_params: '{}',
    cancel_requested: 0,
    progress: '',
    last_activity_at: now,
    log_sequence: 0,
    requested_by: start.requestedBy,
    started_at: now,
    completed_at: null,
  } as const;
}

async function madeRow(db: Db, id: number): Promise<RepositoryRow> {
  const row = await repositoriesStore.get(db, id);
  if (row.state === 'new') throw new AppError('REPOSITORY_NOT_FOUND', { where: row.name });
  return row;
}

/** The other side of a copy; it may be one that is made by the copy. */
async function otherRow(db: Db, start: MaintenanceStart): Promise<RepositoryRow | null> {
  if (start.options.kind !== 'copy') return null;
  if (start.options.toRepositoryId === start.repositoryId) {
    const fields = [{ path: 'toRepositoryId', code: 'same', message: 'choose another repository' }];
    throw new AppError('INVALID_INPUT', {}, { fields });
  }
  return await repositoriesStore.get(db, start.options.toRepositoryId);
}

/** The node of whichever side lies on a node's disk, otherwise the master; both must be reachable from there. */
async function chooseKeeper(
  nodes: NodeDirectory,
  row: RepositoryRow,
  other: RepositoryRow | null,
  kind: MaintenanceOptions['kind'],
): Promise<NodeState> {
  const bound = other?.is_on_node_disk === 1 && row.is_on_node_disk === 0 ? other : row;
  const node = await nodes.get(keeperOf(bound, nodes.localNodeId));
  assertReachable(row, node);
  if (other) assertReachable(other, node);
  if (!node.isOnline) throw new AppError('NODE_OFFLINE', { node: node.name });
  assertKnowsJob(node, jobKinds[kind]);
  return node;
}

/**
 * Snapshots of our records are never forgotten, but a running backup saves its snapshot before its record names it, by
 * hours where it is copied to further repositories. Throws REPOSITORY_LOCKED.
 */
export async function assertNoSnapshotInTheMaking(db: Db, repositoryId: number): Promise<void> {
  const leases = await repositoryLeasesStore.openOfRepository(db, repositoryId);
  const count = leases.filter((lease) => lease.owner === 'record').length;
  if (count === 0) return;
  throw new AppError('REPOSITORY_LOCKED', { holder: `${count} backup(s) may be saving a snapshot in it` });
}

/**
 * A second mark before the sweep of the first would hide packs from leases that do not know them; a sweep needs
 * something to sweep.
 */
async function assertInOrder(trx: Db, row: RepositoryRow, options: MaintenanceOptions): Promise<void> {
  if (options.kind === 'forget' && !options.dryRun) await assertNoSnapshotInTheMaking(trx, row.id);
  if (options.kind !== 'prune') return;
  if ((await condemnedPacksStore.lastLeaseId(trx, row.id)) === null) return;
  const leases = await repositoryLeasesStore.openOfRepository(trx, row.id);
  throw new AppError('REPOSITORY_LOCKED', {
    holder: `the last clean-up waits for ${leases.length} run(s) before it deletes what it found`,
  });
}

/**
 * Maintenance whose server fell silent has ended for us, and may be rewriting the index at this moment: nothing else
 * begins before its server has told that it is over, or was removed. Throws REPOSITORY_LOCKED.
 */
async function refuseBesideLostWork(trx: Db, row: RepositoryRow): Promise<void> {
  for (const lease of await repositoryLeasesStore.openOfRepository(trx, row.id)) {
    if (lease.owner !== 'maintenance') continue;
    const record = await maintenanceRecordsStore.find(trx, lease.owner_id);
    if (record?.status === 'running') continue;
    const holder = `maintenance ${lease.owner_id} may go on; its server has not told yet that it is over`;
    throw new AppError('REPOSITORY_LOCKED', { holder });
  }
}

async function refuseSecond(db: Db, row: RepositoryRow): Promise<void> {
  const recordId = await maintenanceRecordsStore.runningIdOfRepository(db, row.id);
  if (recordId !== undefined) throw new AppError('REPOSITORY_BUSY', { name: row.name, recordId });
}

/** Throws REPOSITORY_NOT_FOUND, REPOSITORY_BUSY, REPOSITORY_LOCKED, NODE_OFFLINE, NOT_SUPPORTED. */
export async function createMaintenanceRecord(
  deps: StartMaintenanceDeps,
  start: MaintenanceStart,
): Promise<{ id: number; node: NodeState }> {
  const { db } = deps;
  const row = await madeRow(db, start.repositoryId);
  const other = await otherRow(db, start);
  const node = await chooseKeeper(deps.nodes, row, other, start.options.kind);
  const now = deps.clock.now().toISOString();
  try {
    const id = await db.transaction().execute(async (trx) => {
      await refuseSecond(trx, row);
      for (const used of other ? [row, other] : [row]) await refuseBesideLostWork(trx, used);
      await assertInOrder(trx, row, start.options);
      const recordId = await maintenanceRecordsStore.insert(trx, newRecord(start, row, node.id, now));
      for (const used of other ? [row, other] : [row]) {
        const lease = { repositoryId: used.id, owner: 'maintenance', ownerId: recordId, nodeId: node.id, now } as const;
        await repositoryLeasesStore.begin(trx, lease);
      }
      if (!node.isLocal) {
        const command = { nodeId: node.id, type: 'run_maintenance', maintenanceRecordId: recordId } as const;
        await deps.queue.enqueueWork(trx, command);
      }
      return recordId;
    });
    return { id, node };
  } catch (error) {
    if (isUniqueViolation(error)) await refuseSecond(db, row);
    throw error;
  }
}
