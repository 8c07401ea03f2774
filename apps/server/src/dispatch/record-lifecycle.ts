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
import { type RecordRow, recordsStore } from '../stores/records.store.ts';
import { repositoryLeasesStore } from '../stores/repository-leases.store.ts';
import { restoreRecordsStore } from '../stores/restore-records.store.ts';
import { runStores } from '../stores/run-stores.ts';
import { logLine } from './log-line.ts';
import type {
  BackupOutcome,
  Db,
  EndOptions,
  RecordLifecycle,
  RecordReporter,
  RestoreOutcome,
  RunRef,
} from './ports.ts';
import { finishMaintenance } from './repositories/finish-maintenance.ts';
import { noteStoredBytes } from './repositories/note-stored-bytes.ts';
import { interruptedFailure, nameNode } from './run-failure.ts';
import { finishVerification } from './verifications/finish-verification.ts';

/** Names of the follow-ups that dispatch queues; `followups/index.ts` must know every one of them (tested there). */
export const queuedFollowups = ['apply_retention', 'continue_restore', 'delete_artifact'] as const;
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
  readonly onVerifyEnded?: (end: { status: string }) => void;
  /** Called after a commit that left leases open although their run has ended for us. */
  readonly onLeasesLeft?: (nodeId: number) => void;
}

const SHA256_HEX = /^[0-9a-f]{64}$/;

/** States this outcome may replace. */
function replaceable(outcome: BackupOutcome, record: RecordRow): RecordStatus[] {
  if (!('result' in outcome)) return ['running'];
  const { checksum, fileSize, storagePath } = outcome.result;
  // A snapshot file is named for its own checksum, and only the run's node may report for this record.
  if (record.repository_id > 0 && storagePath.endsWith(`/${checksum}`) && SHA256_HEX.test(checksum)) {
    return ['running', 'interrupted'];
  }
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
      snapshot: result.snapshot ? JSON.stringify(result.snapshot) : '',
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

/** Ends what a run holds, unless its work may go on where we cannot see it. */
async function endLeases(trx: Db, run: RunRef, options: EndOptions | undefined, now: Date): Promise<void> {
  if (options?.mayGoOn) return;
  await repositoryLeasesStore.end(trx, { owner: run.owner, ownerId: run.id }, now.toISOString());
}

async function finishBackup(
  deps: RecordLifecycleDeps,
  recordId: number,
  reported: BackupOutcome,
  options?: EndOptions,
): Promise<boolean> {
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
    // First: somebody waits for it.
    if (record.trigger === 'safety') {
      await followupsStore.queue(trx, { name: 'continue_restore', payload: { recordId }, now: now.toISOString() });
    }
    await followupsStore.queue(trx, { name: 'apply_retention', payload, now: now.toISOString() });
    await recordLogsStore.append(trx, 'record', recordId, endLine(now, outcome));
    if ('result' in outcome) await noteStoredBytes(trx, record, outcome.result);
    await endLeases(trx, { owner: 'record', id: recordId }, options, now);
    return true;
  });
  if (!ended) return false;
  if (options?.mayGoOn) deps.onLeasesLeft?.(record.node_id);
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

async function finishRestore(
  deps: RecordLifecycleDeps,
  id: number,
  reported: RestoreOutcome,
  options?: EndOptions,
): Promise<boolean> {
  await deps.reporter.flush();
  const now = deps.clock.now();
  const restore = await restoreRecordsStore.find(deps.db, id);
  if (!restore) return false;
  const outcome = await inConsoleWords(deps.db, restore.node_id, reported);
  const isGood = 'result' in outcome;
  const values = {
    ...restoreColumns(outcome),
    // Nobody needs the secrets of a restore that is over.
    options_sealed: '',
    waits_for_safety: 0 as const,
    status: outcome.status,
    completed_at: now.toISOString(),
    last_activity_at: now.toISOString(),
  };
  const from: RecordStatus[] = isGood ? ['running', 'interrupted'] : ['running'];
  const ended = await deps.db.transaction().execute(async (trx) => {
    if (!(await restoreRecordsStore.finish(trx, id, from, values))) return false;
    await recordLogsStore.append(trx, 'restore', id, endLine(now, outcome));
    await endLeases(trx, { owner: 'restore', id }, options, now);
    return true;
  });
  if (!ended) return false;
  if (options?.mayGoOn) deps.onLeasesLeft?.(restore.node_id);
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
  const lifecycle: RecordLifecycle = {
    finishBackup: (recordId, outcome, options) => finishBackup(deps, recordId, outcome, options),
    finishRestore: (restoreRecordId, outcome, options) => finishRestore(deps, restoreRecordId, outcome, options),
    finishMaintenance: (id, outcome, options) => finishMaintenance({ ...deps, endLeases }, { id, outcome, options }),
    finishVerification: (id, outcome, options) => finishVerification({ ...deps, endLeases }, { id, outcome, options }),
    finishFailed(run, outcome, options) {
      if (run.owner === 'record') return finishBackup(deps, run.id, outcome, options);
      if (run.owner === 'restore') return finishRestore(deps, run.id, outcome, options);
      if (run.owner === 'verify') return lifecycle.finishVerification(run.id, outcome, options);
      return lifecycle.finishMaintenance(run.id, outcome, options);
    },
    async workEnded(run) {
      const now = deps.clock.now().toISOString();
      await repositoryLeasesStore.end(deps.db, { owner: run.owner, ownerId: run.id }, now);
    },
    async interruptLocalRuns() {
      const outcome = { status: 'interrupted', failure: interruptedFailure } as const;
      let count = 0;
      for (const owner of ['record', 'restore', 'maintenance', 'verify'] as const) {
        for (const id of await runStores[owner].runningIdsOfNode(deps.db, deps.localNodeId())) {
          if (await lifecycle.finishFailed({ owner, id }, outcome)) count += 1;
        }
      }
      return count;
    },
  };
  return lifecycle;
}
