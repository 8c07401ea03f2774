/** Which record or restore an agent may speak of: its own only. Shared by the routes below `/api/agent`. */
import type { AgentRecordUpdate } from '@backupx/contracts/agent-protocol';
import { AppError } from '@backupx/contracts/errors';
import type { CommandLifecycle } from '../../dispatch/command-lifecycle.ts';
import type { LiveCommand } from '../../dispatch/live-commands.ts';
import type { Db, RecordOwner } from '../../dispatch/ports.ts';
import { type MaintenanceRow, maintenanceRecordsStore } from '../../stores/maintenance-records.store.ts';
import { type RecordRow, recordsStore } from '../../stores/records.store.ts';
import { type RestoreRecordRow, restoreRecordsStore } from '../../stores/restore-records.store.ts';
import { type VerifyRecordRow, verifyRecordsStore } from '../../stores/verify-records.store.ts';

/** Log pieces are numbered per run; this many runs are remembered for finding repeated ones. */
const MAX_REMEMBERED = 5_000;

export interface AgentRuns {
  /** Throws BACKUP_RECORD_NOT_FOUND, BACKUP_RECORD_FORBIDDEN. */
  record(nodeId: number, id: number): Promise<RecordRow>;
  /** Throws RESTORE_RECORD_NOT_FOUND, RESTORE_RECORD_FORBIDDEN. */
  restore(nodeId: number, id: number): Promise<RestoreRecordRow>;
  /** Throws MAINTENANCE_RECORD_NOT_FOUND, MAINTENANCE_RECORD_FORBIDDEN. */
  maintenance(nodeId: number, id: number): Promise<MaintenanceRow>;
  /** Throws VERIFY_RECORD_NOT_FOUND, VERIFY_RECORD_FORBIDDEN. */
  verification(nodeId: number, id: number): Promise<VerifyRecordRow>;
  /** The dispatched command of a run; undefined when it has none (any more). */
  live(nodeId: number, owner: RecordOwner, id: number): LiveCommand | undefined;
  /** A sign of life of a run: renews its lease. */
  renew(nodeId: number, owner: RecordOwner, id: number, nowMs: number): LiveCommand | undefined;
  /** False for a piece of log that was taken before. Unnumbered pieces (agents from the field) are always new. */
  isNewLog(owner: RecordOwner, run: { id: number; log_sequence: number }, sequence: number | undefined): boolean;
  /** The update with what the agent told about its artifact before: it may spread that over several updates. */
  withEarlierFields(recordId: number, update: AgentRecordUpdate): AgentRecordUpdate;
  /** Keeps what an update that ends nothing tells about the artifact. */
  rememberFields(recordId: number, update: AgentRecordUpdate): void;
}

const ARTIFACT_FIELDS = ['fileName', 'fileSize', 'checksum', 'storagePath', 'storageTargetId', 'errorMessage'] as const;

/** Fields left out, empty or zero tell nothing. */
function toldFields(update: AgentRecordUpdate): AgentRecordUpdate {
  return Object.fromEntries(ARTIFACT_FIELDS.filter((field) => update[field]).map((field) => [field, update[field]]));
}

/** Keeps the youngest entries only. */
function keep<V>(map: Map<string, V>, key: string, value: V): void {
  map.delete(key);
  map.set(key, value);
  if (map.size > MAX_REMEMBERED) map.delete(map.keys().next().value ?? '');
}

export function createAgentRuns({ db, commands }: { readonly db: Db; readonly commands: CommandLifecycle }): AgentRuns {
  const lastSequences = new Map<string, number>();
  const artifacts = new Map<string, AgentRecordUpdate>();
  return {
    async record(nodeId, id) {
      const row = await recordsStore.get(db, id);
      if (row.node_id !== nodeId) throw new AppError('BACKUP_RECORD_FORBIDDEN');
      return row;
    },
    async restore(nodeId, id) {
      const row = await restoreRecordsStore.get(db, id);
      if (row.node_id !== nodeId) throw new AppError('RESTORE_RECORD_FORBIDDEN');
      return row;
    },
    async maintenance(nodeId, id) {
      const row = await maintenanceRecordsStore.get(db, id);
      if (row.node_id !== nodeId) throw new AppError('MAINTENANCE_RECORD_FORBIDDEN');
      return row;
    },
    async verification(nodeId, id) {
      const row = await verifyRecordsStore.get(db, id);
      if (row.node_id !== nodeId) throw new AppError('VERIFY_RECORD_FORBIDDEN');
      return row;
    },
    live: (nodeId, owner, id) => commands.liveRun(nodeId, owner, id),
    renew(nodeId, owner, id, nowMs) {
      const command = commands.liveRun(nodeId, owner, id);
      if (!command) return undefined;
      command.activityMs = nowMs;
      command.started = true;
      return command;
    },
    isNewLog(owner, run, sequence) {
      if (sequence === undefined) return true;
      const key = `${owner}:${run.id}`;
      if (sequence <= Math.max(lastSequences.get(key) ?? 0, run.log_sequence)) return false;
      keep(lastSequences, key, sequence);
      return true;
    },
    withEarlierFields: (recordId, update) => ({ ...update, ...artifacts.get(String(recordId)), ...toldFields(update) }),
    rememberFields(recordId, update) {
      const told = toldFields(update);
      if (Object.keys(told).length === 0) return;
      const key = String(recordId);
      keep(artifacts, key, { ...artifacts.get(key), ...told });
    },
  };
}
