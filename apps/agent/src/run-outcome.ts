/** How the end of a run is put into words for the master: a closing update of the record and a command result. */
import type {
  AgentMaintenanceUpdate,
  AgentRecordUpdate,
  AgentRestoreUpdate,
  CommandResultBody,
} from '@backupx/contracts/agent-protocol';
import { AppError, toAppError } from '@backupx/contracts/errors';
import type { RunBackupJob, RunBackupResult, RunRestoreResult } from '@backupx/contracts/jobs';

export interface RunOutcome {
  readonly update: AgentRecordUpdate | AgentRestoreUpdate | AgentMaintenanceUpdate;
  readonly result: CommandResultBody;
}

/** Why a run was stopped from outside. */
export type StopReason = 'cancelled' | 'interrupted';

/** Closing words of a backup; agents in the field report the first target that took the artifact, so do we. */
export function backupOutcome(job: RunBackupJob, done: RunBackupResult): RunOutcome {
  const firstGood = done.targets.find((target) => target.status === 'success');
  const modeOf = (id: number) =>
    job.targets.find((target) => target.id === id)?.viaMaster ? 'master_relay' : 'direct';
  return {
    update: {
      status: 'success',
      outcome: done.status,
      fileName: done.fileName,
      fileSize: done.fileSize,
      checksum: done.checksum,
      storagePath: done.storagePath,
      contentsPath: done.contentsPath,
      sourceBytes: done.sourceBytes,
      itemCount: done.itemCount,
      ...(firstGood ? { storageTargetId: firstGood.targetId, storageTransferMode: modeOf(firstGood.targetId) } : {}),
      storageUploadResults: done.targets.map((target) => ({
        storageTargetId: target.targetId,
        storageTargetName: target.targetName,
        status: target.status,
        storagePath: target.storagePath,
        fileSize: target.fileSize,
        transferMode: modeOf(target.targetId),
        error: target.error,
      })),
      targets: done.targets,
      problems: done.problems,
      problemCount: done.problemCount,
      ...(done.snapshot ? { snapshot: done.snapshot } : {}),
    },
    result: { success: true, result: { taskId: job.taskId, recordId: job.recordId } },
  };
}

export function restoreOutcome(restoreRecordId: number, done: RunRestoreResult): RunOutcome {
  return {
    update: {
      status: 'success',
      outcome: done.status,
      itemsWritten: done.itemsWritten,
      bytesWritten: done.bytesWritten,
      itemsSkipped: done.itemsSkipped,
      problems: done.problems,
      problemCount: done.problemCount,
    },
    result: { success: true, result: { restoreRecordId } },
  };
}

/** Closing words of a run that failed, was cancelled, or was cut short by the end of the agent. */
export function failureOutcome(error: unknown, stopReason: StopReason | null): RunOutcome {
  const failure = toAppError(error);
  const outcome = stopReason ?? (failure.code === 'CANCELLED' ? 'cancelled' : 'failed');
  const errorMessage = outcome === 'interrupted' ? interruptedMessage : failure.message.slice(0, 60_000);
  const errorCode = outcome === 'interrupted' ? undefined : failure.code;
  return {
    update: { status: 'failed', outcome, errorMessage, errorCode },
    result: { success: false, errorMessage, errorCode },
  };
}

const interruptedMessage = 'The agent was stopped before the work was finished.';

/** For work that an earlier life of the agent left behind. */
export function interruptedOutcome(): RunOutcome {
  return failureOutcome(new AppError('CANCELLED'), 'interrupted');
}

/** Only what agents in the field send: for a master that does not accept the full update. */
export function plainUpdate(update: AgentRecordUpdate): AgentRecordUpdate {
  const { status, fileName, fileSize, checksum, storagePath, storageTargetId, errorMessage } = update;
  return { status, fileName, fileSize, checksum, storagePath, storageTargetId, errorMessage };
}
