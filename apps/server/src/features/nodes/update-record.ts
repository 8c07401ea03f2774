/**
 * What an agent reports about a backup. Log and progress go to the reporter, an end goes to the record life cycle: the
 * same two that serve runs on the master, so retention, notifications and live views make no difference.
 */
import { AGENT_PROTOCOL_VERSION, type AgentRecordUpdate, type TransferMode } from '@backupx/contracts/agent-protocol';
import { AppError } from '@backupx/contracts/errors';
import type { ItemProblem, RunBackupResult, TargetResult } from '@backupx/contracts/jobs';
import type { Clock } from '@backupx/engine/ports/clock';
import { agentFailure } from '../../dispatch/agent-failure.ts';
import type { Db, RecordLifecycle, RecordReporter, RunFailure } from '../../dispatch/ports.ts';
import { snapshotIdOf } from '../../dispatch/repositories/repository-place.ts';
import type { RecordRow } from '../../stores/records.store.ts';
import { type RepositoryRow, repositoriesStore } from '../../stores/repositories.store.ts';
import { repositoryLeasesStore } from '../../stores/repository-leases.store.ts';
import { tasksStore } from '../../stores/tasks.store.ts';
import type { AgentRuns } from './agent-runs.ts';
import { checkArtifactKey } from './check-artifact-key.ts';

export interface UpdateDeps {
  readonly db: Db;
  readonly clock: Clock;
  readonly runs: AgentRuns;
  readonly records: RecordLifecycle;
  readonly reporter: RecordReporter;
}

export interface AgentCaller {
  readonly nodeId: number;
  readonly nodeName: string;
  readonly protocol: number;
}

/** Answer of both update routes; `cancel` for agents that know it only. */
export type UpdateAnswer = { status: 'ok'; cancel?: boolean };

/** Word of the wire for an upload through the master. */
const RELAYED: TransferMode = 'master_relay';
const SHA256_HEX = /^[0-9a-f]{64}$/i;

export async function updateRecord(
  deps: UpdateDeps,
  caller: AgentCaller,
  id: number,
  update: AgentRecordUpdate,
): Promise<UpdateAnswer> {
  const record = await deps.runs.record(caller.nodeId, id);
  const live = deps.runs.renew(caller.nodeId, 'record', id, deps.clock.now().getTime());
  const isOpen = record.status === 'running' || record.status === 'interrupted';
  // Ended for us before, now for the agent too: nothing holds its leases any more.
  if (!isOpen && isFinal(update.status)) await deps.records.workEnded({ owner: 'record', id });
  if (isOpen) await take(deps, { caller, record, targetIds: live?.targetIds ?? null }, update);
  const wantsStop = record.cancel_requested === 1 || !isOpen || (live?.cancelSinceMs ?? null) !== null;
  return answerFor(caller, wantsStop && !isFinal(update.status));
}

async function take(deps: UpdateDeps, report: Report, update: AgentRecordUpdate): Promise<void> {
  const { runs, reporter, records } = deps;
  const { id } = report.record;
  // Checked before anything is written: a refused update leaves no trace and is not half taken.
  const whole = report.caller.protocol === 1 ? runs.withEarlierFields(id, update) : update;
  const outcome = await readOutcome(deps, report, whole);
  if (!outcome) runs.rememberFields(id, update);
  const isNewLog = update.logAppend !== undefined && runs.isNewLog('record', report.record, update.logSequence);
  if (isNewLog) reporter.appendLog('record', id, update.logAppend ?? '', update.logSequence);
  if (update.progress) reporter.progress('record', id, update.progress);
  else reporter.touch('record', id);
  // A numbered piece is not sent again once it is acknowledged: it must be on disk by then.
  if (outcome || (isNewLog && update.logSequence !== undefined)) await reporter.flush();
  if (!outcome) return;
  await records.finishBackup(id, outcome);
}

export function answerFor(caller: AgentCaller, wantsStop: boolean): UpdateAnswer {
  return wantsStop && caller.protocol >= AGENT_PROTOCOL_VERSION ? { status: 'ok', cancel: true } : { status: 'ok' };
}

const isFinal = (status: string | undefined) => status === 'success' || status === 'failed';

interface Report {
  readonly caller: AgentCaller;
  readonly record: RecordRow;
  /** Targets of the specification that was handed out; null: not known any more. */
  readonly targetIds: readonly number[] | null;
}

type Outcome = Parameters<RecordLifecycle['finishBackup']>[1];

/** The end an update reports, checked; null when it reports none. Throws INVALID_INPUT and the errors of the key check. */
async function readOutcome(deps: UpdateDeps, report: Report, update: AgentRecordUpdate): Promise<Outcome | null> {
  if (update.status === 'success') {
    const result = await readResult(deps, report, update);
    return { status: result.status, result };
  }
  if (update.status !== 'failed') return null;
  const status = update.outcome === 'cancelled' || update.outcome === 'interrupted' ? update.outcome : 'failed';
  return {
    status,
    failure: failureFor(report.caller, update),
    targets: await readTargets(deps, report, update),
    problems: update.problems ?? [],
  };
}

/** Keeps the agent's code where our catalogue has it, so that the reader gets a hint in his language. */
export function failureFor(caller: AgentCaller, update: { errorMessage?: string; errorCode?: string }): RunFailure {
  const message = update.errorMessage || 'The agent reported a failure without a reason.';
  return agentFailure(caller.nodeName, message, update.errorCode);
}

/** Name, size and checksum of the artifact. Agents from the field may leave size and checksum out. */
function readArtifact({ caller, record }: Report, update: AgentRecordUpdate) {
  const storagePath = update.storagePath ?? '';
  const checksum = (update.checksum ?? '').trim().toLowerCase();
  const fileSize = update.fileSize ?? 0;
  refuseUnless(storagePath !== '', 'storagePath', 'a success must name its artifact');
  checkArtifactKey(record, storagePath, caller.protocol);
  refuseUnless(checksum === '' || SHA256_HEX.test(checksum), 'checksum', 'not a SHA-256 in hex');
  const fileName = update.fileName || storagePath.slice(storagePath.lastIndexOf('/') + 1);
  refuseUnless(!/[/\\]/.test(fileName), 'fileName', 'not a file name');
  if (caller.protocol >= AGENT_PROTOCOL_VERSION) {
    refuseUnless(checksum !== '', 'checksum', 'missing');
    // A snapshot of an unchanged source may store next to nothing.
    refuseUnless(fileSize > 0 || record.repository_id > 0, 'fileSize', 'missing');
  }
  const contentsPath = update.contentsPath ?? '';
  if (contentsPath !== '') checkArtifactKey(record, contentsPath, caller.protocol);
  return { fileName, storagePath, contentsPath, fileSize, checksum };
}

async function readResult(deps: UpdateDeps, report: Report, update: AgentRecordUpdate): Promise<RunBackupResult> {
  const artifact = readArtifact(report, update);
  if (report.record.repository_id > 0 && !update.snapshot) refuseUnless(false, 'snapshot', 'missing');
  const targets = await readTargets(deps, report, update);
  const problems = update.problems ?? uploadProblems(targets);
  const isWarning = update.outcome === 'warning' || targets.some((target) => target.status === 'failed');
  return {
    status: isWarning ? 'warning' : 'success',
    ...artifact,
    sourceBytes: update.sourceBytes ?? 0,
    itemCount: update.itemCount ?? 0,
    targets,
    problems,
    problemCount: update.problemCount ?? problems.length,
    snapshot: update.snapshot ?? null,
  };
}

/** Old agents list failed uploads as results only. */
function uploadProblems(targets: readonly TargetResult[]): ItemProblem[] {
  return targets
    .filter((target) => target.status === 'failed')
    .map((target) => ({ path: target.targetName, code: 'upload_failed', message: target.error ?? '' }));
}

async function readTargets(deps: UpdateDeps, report: Report, update: AgentRecordUpdate): Promise<TargetResult[]> {
  const { caller, record } = report;
  const rows = (await tasksStore.targetsOf(deps.db, [record.task_id])).get(record.task_id) ?? [];
  const allowed = report.targetIds ?? rows.map((row) => row.storage_target_id);
  const targets = update.targets ?? fieldTargets(update, allowed);
  const places = await repositoriesByTarget(deps.db, record);
  for (const target of targets) {
    if (!allowed.includes(target.targetId)) throw new AppError('BACKUP_RECORD_FORBIDDEN');
    if (!target.storagePath) continue;
    const place = places?.get(target.targetId);
    if (!place) checkArtifactKey(record, target.storagePath, caller.protocol);
    else if (!snapshotIdOf(place.prefix, target.storagePath)) throw new AppError('BACKUP_RECORD_FORBIDDEN');
  }
  const names = new Map(rows.map((row) => [row.storage_target_id, row.target_name]));
  return targets.map((target) => ({ ...target, targetName: target.targetName || (names.get(target.targetId) ?? '') }));
}

/** Repositories a run may write to; null: an archive. Each target has one, and copies lie in folders of their own. */
async function repositoriesByTarget(db: Db, record: RecordRow): Promise<ReadonlyMap<number, RepositoryRow> | null> {
  if (record.repository_id === 0) return null;
  const leases = await repositoryLeasesStore.ofHolder(db, { owner: 'record', ownerId: record.id });
  const rows = await repositoriesStore.findMany(
    db,
    leases.map((lease) => lease.repository_id),
  );
  return new Map(rows.map((row) => [row.storage_target_id, row]));
}

/** Upload results in the words of agents in the field. The simplest ones name one target, or none: the primary. */
function fieldTargets(update: AgentRecordUpdate, allowed: readonly number[]): TargetResult[] {
  const results = update.storageUploadResults ?? [];
  const onlyTarget = update.storageTargetId || allowed[0];
  if (results.length === 0 && onlyTarget && update.status === 'success') {
    const { storagePath, fileSize } = update;
    const viaMaster = relayedOrUntold(update.storageTransferMode);
    return [{ targetId: onlyTarget, targetName: '', status: 'success', storagePath, fileSize, viaMaster }];
  }
  return results.map((result) => ({
    targetId: result.storageTargetId,
    targetName: result.storageTargetName,
    status: result.status === 'success' ? 'success' : 'failed',
    ...(result.storagePath ? { storagePath: result.storagePath } : {}),
    ...(result.fileSize ? { fileSize: result.fileSize } : {}),
    ...(result.error ? { error: result.error } : {}),
    viaMaster: relayedOrUntold(result.transferMode),
  }));
}

/** What an agent from the field tells of the way its upload took; undefined when it does not. */
function relayedOrUntold(transferMode: string | undefined): boolean | undefined {
  return transferMode ? transferMode === RELAYED : undefined;
}

function refuseUnless(holds: boolean, path: string, message: string): void {
  if (!holds) throw new AppError('INVALID_INPUT', {}, { fields: [{ path, code: 'invalid', message }] });
}
