/**
 * Backs up what a restore is about to replace, and lets the restore begin when that has succeeded.
 *
 * Both records are born in one transaction. The end of the backup queues the follow-up `continue_restore`, which comes
 * here: so a restart of the master at any point loses neither, and nothing is touched before the backup is there.
 */
import { describeSession } from '@backupx/contracts/describe-session';
import { AppError, toAppError } from '@backupx/contracts/errors';
import type { InspectTargetResult } from '@backupx/contracts/jobs';
import type { Engine } from '@backupx/engine/ports/engine';
import { otherVersion } from '@backupx/engine/ports/version-difference';
import { recordLogsStore } from '../stores/record-logs.store.ts';
import { type RecordRow, recordsStore } from '../stores/records.store.ts';
import { type RestoreRecordRow, restoreRecordsStore } from '../stores/restore-records.store.ts';
import { tasksStore } from '../stores/tasks.store.ts';
import { chooseNode } from './choose-node.ts';
import { logLine } from './log-line.ts';
import type { NodeState, RecordLifecycle } from './ports.ts';
import { type PlanRepositoriesDeps, planRepositories } from './repositories/plan-repositories.ts';
import { askTarget, type RestorePreviewDeps } from './restore-preview.ts';
import { runFailureOf } from './run-failure.ts';
import { createBackupRecord } from './start-backup.ts';
import { insertRestore, type RecordRestore, type StartRestoreDeps } from './start-restore.ts';
import { settingsForRestore, withoutSecretsOf } from './stored-secrets.ts';

export interface SafetyBackupDeps extends RestorePreviewDeps, PlanRepositoriesDeps, StartRestoreDeps {
  readonly engine: Pick<Engine, 'manifests' | 'parseSettings' | 'targetSettings'>;
  readonly builder: StartRestoreDeps['builder'];
  readonly lifecycle: Pick<RecordLifecycle, 'finishRestore'>;
}

type Found = InspectTargetResult['databases'][number];

/** Sessions stop the restore later; better before hours were spent on a backup. Throws DATABASE_IN_USE. */
function refuseSessions(databases: readonly Found[], options: Readonly<Record<string, unknown>>): void {
  if (options.endSessions === true) return;
  const used = databases.find(({ sessions }) => sessions.length > 0);
  if (!used) return;
  const sessions = used.sessions.slice(0, 10).map(describeSession).join(', ');
  throw new AppError('DATABASE_IN_USE', { name: used.name, sessions });
}

/** So does another version of the server. Throws DATABASE_SERVER_*. */
function refuseVersion(found: InspectTargetResult, options: Readonly<Record<string, unknown>>): void {
  if (!found.otherVersion || options.acceptOtherVersion === true) return;
  const { saved, target, difference } = found.otherVersion;
  throw otherVersion('The backup', { saved, target }, difference);
}

/** Databases that are to be saved first; none: it replaces nothing, or nobody wants them. Throws as `askTarget`. */
export async function databasesToSave(deps: SafetyBackupDeps, plan: RecordRestore): Promise<string[]> {
  const { input, options, targetPath, record } = plan;
  const isUnwanted = input.safetyBackup === false || input.dryRun === true || targetPath !== '';
  if (isUnwanted || options.given.replaceExisting !== true) return [];
  const manifest = deps.engine.manifests.sources.find((one) => one.type === record.task_type);
  if (!manifest?.canInspectTarget) return [];
  const found = await lookAtTarget(deps, plan, manifest.canSaveTarget === true);
  if (!found) return [];
  refuseVersion(found, options.given);
  const replaced = found.databases.filter(({ exists, isReplaced }) => exists && isReplaced !== false);
  refuseSessions(replaced, options.given);
  if (!manifest.canSaveTarget) return [];
  return replaced.filter(({ canBeSaved }) => canBeSaved !== false).map(({ name }) => name);
}

/** `isNeeded` false: nothing of it could be saved, and the restore looks by itself before it touches anything. */
async function lookAtTarget(
  deps: SafetyBackupDeps,
  plan: RecordRestore,
  isNeeded: boolean,
): Promise<InspectTargetResult | null> {
  try {
    return await askTarget(deps, plan);
  } catch (error) {
    if (isNeeded) throw error;
    return null;
  }
}

async function settingsOf(deps: SafetyBackupDeps, { record, options }: RecordRestore, databases: readonly string[]) {
  const manifest = deps.engine.manifests.sources.find((one) => one.type === record.task_type);
  const stored = JSON.parse(deps.open(record.source_sealed)) as Record<string, unknown>;
  const source = { type: record.task_type, config: { ...settingsForRestore(manifest, stored, options.given) } };
  const config = await deps.engine.targetSettings(source, { options: options.given, databases });
  return deps.seal(JSON.stringify(manifest ? withoutSecretsOf(manifest, config, options.given) : config));
}

/** Throws BACKUP_TASK_NOT_FOUND, BACKUP_TASK_RUNNING, STORAGE_CONFIG, NOT_SUPPORTED, … */
async function planBackup(deps: SafetyBackupDeps, plan: RecordRestore, databases: readonly string[]) {
  const task = await tasksStore.get(deps.db, plan.record.task_id);
  const node = await chooseNode(deps.nodes, {
    nodeId: plan.node.id,
    sourceType: task.type,
    encrypt: task.encrypt === 1 && task.backup_mode !== 'repository',
    mode: task.backup_mode,
    mustBeOnline: true,
  });
  const repositories = await planRepositories(deps, task, node);
  const sourceSealed = await settingsOf(deps, plan, databases);
  return { task, node, repositories, sourceSealed, trigger: 'safety', slot: null } as const;
}

/** Answers the record of the backup and the restore that waits for it. Throws SAFETY_BACKUP_IMPOSSIBLE. */
export async function startWithSafety(
  deps: SafetyBackupDeps,
  plan: RecordRestore,
  databases: readonly string[],
): Promise<{ recordId: number; restoreId: number }> {
  let restoreId = 0;
  const line = (recordId: number) =>
    logLine(deps.clock.now(), 'info', `First backing up what is there as record ${recordId}: ${databases.join(', ')}.`);
  try {
    const start = await planBackup(deps, plan, databases);
    const recordId = await createBackupRecord(deps, start, async (trx, id) => {
      restoreId = await insertRestore(deps, plan, { trx, safetyRecordId: id });
      await recordLogsStore.append(trx, 'restore', restoreId, line(id));
    });
    return { recordId: recordId ?? 0, restoreId };
  } catch (error) {
    const { code, message } = toAppError(error);
    if (code === 'INTERNAL') throw error;
    throw new AppError('SAFETY_BACKUP_IMPOSSIBLE', { reason: message }, { cause: error });
  }
}

/** Null: its server is gone. */
async function nodeOf(deps: SafetyBackupDeps, restore: RestoreRecordRow): Promise<NodeState | null> {
  try {
    return await deps.nodes.get(restore.node_id);
  } catch (error) {
    if (error instanceof AppError && error.code === 'NODE_NOT_FOUND') return null;
    throw error;
  }
}

function whyNot(record: RecordRow | undefined, recordId: number, node: NodeState | null): AppError | null {
  // A warning says that something is missing from it: somebody should look before it is all that is left.
  if (record?.status !== 'success') {
    return new AppError('SAFETY_BACKUP_FAILED', { recordId, status: record?.status ?? 'deleted' });
  }
  return node ? null : new AppError('NODE_NOT_FOUND');
}

/**
 * Lets the restore begin that waits for this backup, or ends it. Answers the restore to hand to its node; null: there is
 * none (any more). May be called again at any time.
 */
export async function continueRestore(
  deps: SafetyBackupDeps,
  safetyRecordId: number,
): Promise<{ id: number; node: NodeState } | null> {
  const { db, clock, queue, lifecycle } = deps;
  const restore = await restoreRecordsStore.ofSafetyRecord(db, safetyRecordId);
  if (restore?.status !== 'running' || restore.waits_for_safety !== 1) return null;
  const record = await recordsStore.find(db, safetyRecordId);
  if (record?.status === 'running') return null;
  const node = await nodeOf(deps, restore);
  const failure = whyNot(record, safetyRecordId, node);
  if (failure || !node) {
    await lifecycle.finishRestore(restore.id, { status: 'failed', failure: runFailureOf(failure) });
    return null;
  }
  const isReleased = await db.transaction().execute(async (trx) => {
    if (!(await restoreRecordsStore.release(trx, restore.id))) return false;
    const text = `What was there is saved as record ${safetyRecordId}.`;
    await recordLogsStore.append(trx, 'restore', restore.id, logLine(clock.now(), 'info', text));
    if (!node.isLocal) {
      await queue.enqueueWork(trx, { nodeId: node.id, type: 'restore_record', restoreRecordId: restore.id });
    }
    return true;
  });
  return isReleased ? { id: restore.id, node } : null;
}
