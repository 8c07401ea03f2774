/**
 * How records end, whoever ran them. One conditional UPDATE decides which of two ends wins; the follow-ups are queued
 * in the same transaction, so work that must follow a run is never lost and never doubled by a crash between the two.
 *
 * `cancelled`, `failed`, `success` and `warning` are final. `interrupted` says only that we lost sight of the run: a
 * result that names an artifact of the same record with its checksum repairs it.
 */
import type { RecordStatus } from '@backupx/contracts/record-status';
import type { Clock } from '@backupx/engine/ports/clock';
import type { EventBus } from '../event-bus.ts';
import { followupsStore } from '../stores/followups.store.ts';
import { nodeNames } from '../stores/node-names.ts';
import { recordLogsStore } from '../stores/record-logs.store.ts';
import { recordsStore } from '../stores/records.store.ts';
import { restoreRecordsStore } from '../stores/restore-records.store.ts';
import { logLine } from './log-line.ts';
import type { BackupOutcome, Db, RecordLifecycle, RecordReporter, RestoreOutcome } from './ports.ts';
import { interruptedFailure, nameNode } from './run-failure.ts';

/** Names of the follow-ups that dispatch queues; `followups/index.ts` must know every one of them (tested there). */
export const queuedFollowups = ['apply_retention', 'delete_artifact'] as const;
export type QueuedFollowup = (typeof queuedFollowups)[number];

export interface RecordLifecycleDeps {
  readonly db: Db;
  readonly clock: Clock;
  readonly bus: EventBus;
  readonly reporter: RecordReporter;
  readonly localNodeId: () => number;
  /** Called after a commit that queued follow-ups. */
  readonly wakeFollowups: () => void;
  /** Called after the end of a backup: metrics. */
  readonly onBackupEnded?: (end: { taskType: string; status: string; seconds: number; bytes: number }) => void;
  readonly onRestoreEnded?: (end: { status: string }) => void;
}

const SHA256_HEX = /^[0-9a-f]{64}$/;

/** States this outcome may replace. */
function replaceable(outcome: BackupOutcome, record: { id: number; key_prefix: string }): RecordStatus[] {
  if (!('result' in outcome)) return ['running'];
  const { checksum, fileSize, storagePath } = outcome.result;
  const isOfThisRecord =
    (record.key_prefix !== '' && storagePath.startsWith(`${record.key_prefix}/`)) ||
    // The layout agents in the field choose themselves: `<type>/<date>/records/<record id>/<file>`.
    `/${storagePath}`.includes(`/records/${record.id}/`);
  const isProven = SHA256_HEX.test(checksum) && fileSize > 0 && isOfThisRecord;
  return isProven ? ['running', 'interrupted'] : ['running'];
}

function backupColumns(outcome: BackupOutcome) {
  if ('result' in outcome) {
    const { result } = outcome;
    const primary = result.targets.find((target) => target.status === 'success');
    return {
      file_name: result.fileName,
      file_size: result.fileSize,
      checksum: result.checksum,
      storage_path: result.storagePath,
      contents_path: result.contentsPath,
      storage_target_id: primary?.targetId ?? 0,
      targets: JSON.stringify(result.targets),
      source_bytes: result.sourceBytes,
      item_count: result.itemCount,
      problem_count: result.problemCount,
      problems: JSON.stringify(result.problems),
      error_message: '',
      error_code: '',
      error_params: '{}',
    };
  }
  return {
    ...(outcome.targets ? { targets: JSON.stringify(outcome.targets) } : {}),
    problems: JSON.stringify(outcome.problems ?? []),
    problem_count: outcome.problems?.length ?? 0,
    ...failureColumns(outcome),
  };
}

function failureColumns(outcome: { failure: { message: string; code: string; params: unknown } }) {
  return {
    error_message: outcome.failure.message,
    error_code: outcome.failure.code,
    error_params: JSON.stringify(outcome.failure.params),
  };
}

function restoreColumns(outcome: RestoreOutcome) {
  if ('result' in outcome) {
    const { result } = outcome;
    return {
      items_written: result.itemsWritten,
      bytes_written: result.bytesWritten,
      items_skipped: result.itemsSkipped,
      problems: JSON.stringify(result.problems),
      problem_count: result.problemCount,
      error_message: '',
      error_code: '',
      error_params: '{}',
    };
  }
  return {
    problems: JSON.stringify(outcome.problems ?? []),
    problem_count: outcome.problems?.length ?? 0,
    ...failureColumns(outcome),
  };
}

function endLine(at: Date, outcome: BackupOutcome | RestoreOutcome): string {
  if (!('result' in outcome)) {
    return logLine(at, 'error', `Ended: ${outcome.status}. ${outcome.failure.message}`);
  }
  if (outcome.status === 'success') return logLine(at, 'info', 'Ended: success.');
  const { problemCount } = outcome.result;
  const targets = 'targets' in outcome.result ? outcome.result.targets : [];
  const missing = targets.filter((target) => target.status !== 'success').length;
  const parts = [
    problemCount > 0 || missing === 0 ? `with ${problemCount} problem(s)` : '',
    missing > 0 ? `without ${missing} of ${targets.length} copies` : '',
  ];
  return logLine(at, 'warn', `Ended ${parts.filter(Boolean).join(', ')}.`);
}

/** The outcome as its reader shall see it: failures name the node as the console does. */
async function inConsoleWords<O extends BackupOutcome | RestoreOutcome>(
  db: Db,
  nodeId: number,
  outcome: O,
): Promise<O> {
  if ('result' in outcome) return outcome;
  const names = await nodeNames(db);
  return { ...outcome, failure: nameNode(outcome.failure, names.get(nodeId) ?? '') };
}

async function finishBackup(deps: RecordLifecycleDeps, recordId: number, reported: BackupOutcome): Promise<boolean> {
  await deps.reporter.flush();
  const now = deps.clock.now();
  const record = await recordsStore.find(deps.db, recordId);
  if (!record) return false;
  const outcome = await inConsoleWords(deps.db, record.node_id, reported);
  const ended = await deps.db.transaction().execute(async (trx) => {
    const values = {
      ...backupColumns(outcome),
      status: outcome.status,
      completed_at: now.toISOString(),
      last_activity_at: now.toISOString(),
    };
    if (!(await recordsStore.finish(trx, recordId, replaceable(outcome, record), values))) return false;
    const payload = { taskId: record.task_id };
    await followupsStore.queue(trx, { name: 'apply_retention', payload, now: now.toISOString() });
    await recordLogsStore.append(trx, 'record', recordId, endLine(now, outcome));
    return true;
  });
  if (!ended) return false;
  deps.reporter.touch('record', recordId);
  deps.bus.publish({ type: 'record_changed', recordId, taskId: record.task_id, status: outcome.status });
  deps.wakeFollowups();
  deps.onBackupEnded?.({
    taskType: record.task_type,
    status: outcome.status,
    seconds: Math.max(0, (now.getTime() - Date.parse(record.started_at)) / 1000),
    bytes: 'result' in outcome ? outcome.result.fileSize : 0,
  });
  return true;
}

async function finishRestore(deps: RecordLifecycleDeps, id: number, reported: RestoreOutcome): Promise<boolean> {
  await deps.reporter.flush();
  const now = deps.clock.now();
  const restore = await restoreRecordsStore.find(deps.db, id);
  if (!restore) return false;
  const outcome = await inConsoleWords(deps.db, restore.node_id, reported);
  const isGood = 'result' in outcome;
  const values = {
    ...restoreColumns(outcome),
    status: outcome.status,
    completed_at: now.toISOString(),
    last_activity_at: now.toISOString(),
  };
  const from: RecordStatus[] = isGood ? ['running', 'interrupted'] : ['running'];
  const ended = await deps.db.transaction().execute(async (trx) => {
    if (!(await restoreRecordsStore.finish(trx, id, from, values))) return false;
    await recordLogsStore.append(trx, 'restore', id, endLine(now, outcome));
    return true;
  });
  if (!ended) return false;
  deps.reporter.touch('restore', id);
  deps.bus.publish({
    type: 'restore_changed',
    restoreRecordId: id,
    recordId: restore.record_id,
    status: outcome.status,
  });
  deps.onRestoreEnded?.({ status: outcome.status });
  return true;
}

export function createRecordLifecycle(deps: RecordLifecycleDeps): RecordLifecycle {
  return {
    finishBackup: (recordId, outcome) => finishBackup(deps, recordId, outcome),
    finishRestore: (restoreRecordId, outcome) => finishRestore(deps, restoreRecordId, outcome),
    async interruptLocalRuns() {
      const outcome = { status: 'interrupted', failure: interruptedFailure } as const;
      let count = 0;
      for (const id of await recordsStore.runningIdsOfNode(deps.db, deps.localNodeId())) {
        if (await finishBackup(deps, id, outcome)) count += 1;
      }
      for (const id of await restoreRecordsStore.runningIdsOfNode(deps.db, deps.localNodeId())) {
        if (await finishRestore(deps, id, outcome)) count += 1;
      }
      return count;
    },
  };
}
