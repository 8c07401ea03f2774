/** Tells listeners how far runs are, at most twice a second each. */
import type { JobProgress } from '@backupx/contracts/jobs';
import type { Clock } from '@backupx/engine/ports/clock';
import type { EventBus } from '../event-bus.ts';
import { maintenanceRecordsStore } from '../stores/maintenance-records.store.ts';
import { recordsStore } from '../stores/records.store.ts';
import { restoreRecordsStore } from '../stores/restore-records.store.ts';
import { verifyRecordsStore } from '../stores/verify-records.store.ts';
import type { Db, RecordOwner } from './ports.ts';

const PUBLISH_MS = 500;
/** Runs that are remembered. */
const MAX_REMEMBERED = 1000;

interface Published {
  /** Task of a record, record of a restore or a verification, repository of maintenance. */
  readonly parentId: number;
  lastMs: number;
}

export type PublishProgress = (owner: RecordOwner, id: number, progress: JobProgress) => Promise<void>;

export function createPublishProgress(deps: { db: Db; clock: Clock; bus: EventBus }): PublishProgress {
  const { db, clock, bus } = deps;
  const published = new Map<string, Published>();

  async function parentOf(owner: RecordOwner, id: number): Promise<number | null> {
    if (owner === 'record') return (await recordsStore.find(db, id))?.task_id ?? null;
    if (owner === 'maintenance') return (await maintenanceRecordsStore.find(db, id))?.repository_id ?? null;
    if (owner === 'verify') return (await verifyRecordsStore.find(db, id))?.record_id ?? null;
    return (await restoreRecordsStore.find(db, id))?.record_id ?? null;
  }

  async function stateOf(owner: RecordOwner, id: number): Promise<Published | null> {
    const key = `${owner}:${id}`;
    const known = published.get(key);
    if (known) return known;
    const parentId = await parentOf(owner, id);
    if (parentId === null) return null;
    if (published.size >= MAX_REMEMBERED) published.delete(published.keys().next().value ?? '');
    const state = { parentId, lastMs: Number.NEGATIVE_INFINITY };
    published.set(key, state);
    return state;
  }

  return async (owner, id, progress) => {
    const state = await stateOf(owner, id);
    const nowMs = clock.monotonicMs();
    if (!state || nowMs - state.lastMs < PUBLISH_MS) return;
    state.lastMs = nowMs;
    const { parentId } = state;
    if (owner === 'record') bus.publish({ type: 'record_progress', recordId: id, taskId: parentId, progress });
    else if (owner === 'restore') {
      bus.publish({ type: 'restore_progress', restoreRecordId: id, recordId: parentId, progress });
    } else if (owner === 'verify') {
      bus.publish({ type: 'verify_progress', verifyRecordId: id, recordId: parentId, progress });
    } else {
      bus.publish({ type: 'maintenance_progress', maintenanceRecordId: id, repositoryId: parentId, progress });
    }
  };
}
