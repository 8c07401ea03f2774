/** Removes a record: first its objects, on the node that reaches them, and only when they are gone the row. */
import { AppError } from '@backupx/contracts/errors';
import type { JobResults } from '@backupx/contracts/jobs';
import type { Clock } from '@backupx/engine/ports/clock';
import type { EventBus } from '../event-bus.ts';
import { recordLogsStore } from '../stores/record-logs.store.ts';
import { type RecordRow, recordsStore } from '../stores/records.store.ts';
import { repositoriesStore } from '../stores/repositories.store.ts';
import { repositoryLeasesStore } from '../stores/repository-leases.store.ts';
import { restoreRecordsStore } from '../stores/restore-records.store.ts';
import { verifyRecordsStore } from '../stores/verify-records.store.ts';
import type { ArtifactJobBuilder } from './build-job.ts';
import type { ControlJob, Db } from './ports.ts';
import { MANY_FORGOTTEN } from './repositories/maintenance-effects.ts';
import { snapshotCopies } from './repositories/snapshot-artifact.ts';

export interface RemoveRecordDeps {
  readonly db: Db;
  readonly clock: Clock;
  readonly bus: EventBus;
  readonly builder: ArtifactJobBuilder;
  readonly askNode: <J extends ControlJob>(
    nodeId: number,
    job: J,
    timeoutMs?: number,
  ) => Promise<JobResults[J['kind']]>;
}

export interface RemoveRecordOptions {
  /** Lets a record go whose artifact lies on the disk of a server that was removed from BackupX. */
  readonly forgetLostObjects?: boolean;
}

const DELETE_TIMEOUT_MS = 60_000;

/** Repositories that lose a snapshot with this record. */
async function repositoriesOf(db: Db, record: RecordRow): Promise<number[]> {
  if (record.repository_id === 0) return [];
  return (await snapshotCopies(db, record)).map((copy) => copy.row.id);
}

/**
 * Throws BACKUP_RECORD_LOCKED, BACKUP_RECORD_ACTIVE (running, being restored or verified), NODE_OFFLINE, or the storage's error;
 * the record then stays. Idempotent: objects already gone count as deleted, a missing record is BACKUP_RECORD_NOT_FOUND.
 */
export async function removeRecord(
  deps: RemoveRecordDeps,
  recordId: number,
  options: RemoveRecordOptions = {},
): Promise<void> {
  const record = await recordsStore.get(deps.db, recordId);
  if (record.locked === 1) throw new AppError('BACKUP_RECORD_LOCKED');
  if (record.status === 'running') throw new AppError('BACKUP_RECORD_ACTIVE');
  const isVerified = (await verifyRecordsStore.runningIdOfRecord(deps.db, recordId)) !== undefined;
  if (isVerified || (await restoreRecordsStore.countRunningOfRecord(deps.db, recordId)) > 0) {
    throw new AppError('BACKUP_RECORD_ACTIVE');
  }
  const forgottenIn = await repositoriesOf(deps.db, record);
  for (const { nodeId, target, keys } of await deps.builder.storedObjects(recordId)) {
    try {
      await deps.askNode(nodeId, { kind: 'delete_objects', target, keys }, DELETE_TIMEOUT_MS);
    } catch (error) {
      const isNodeGone = error instanceof AppError && error.code === 'NODE_NOT_FOUND';
      if (!isNodeGone || !options.forgetLostObjects) throw error;
    }
  }
  const isGone = await deps.db.transaction().execute(async (trx) => {
    if (!(await recordsStore.remove(trx, recordId))) return false;
    await recordLogsStore.removeAll(trx, 'record', recordId);
    await repositoryLeasesStore.removeAll(trx, { owner: 'record', ownerId: recordId });
    const early = { count: 1, many: MANY_FORGOTTEN, now: deps.clock.now().toISOString() };
    for (const id of forgottenIn) await repositoriesStore.noteForgotten(trx, id, early);
    return true;
  });
  if (!isGone) throw new AppError('BACKUP_RECORD_LOCKED');
  deps.bus.publish({ type: 'record_deleted', recordId, taskId: record.task_id });
}
