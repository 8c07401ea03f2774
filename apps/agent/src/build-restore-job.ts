import type { AgentRestoreSpec } from '@backupx/contracts/agent-protocol';
import { AppError } from '@backupx/contracts/errors';
import { overwriteModeSchema, type RunRestoreJob, type StoredArtifact } from '@backupx/contracts/jobs';
import { jobTarget, sourceSettings } from './build-backup-job.ts';

/** Turns a restore specification into the engine's job. Throws `ARTIFACT_KEY_MISSING` when an old master cannot give the key. */
export function buildRestoreJob(spec: AgentRestoreSpec): RunRestoreJob {
  return {
    kind: 'run_restore',
    restoreRecordId: spec.restoreRecordId,
    recordId: spec.backupRecordId,
    taskName: spec.taskName,
    source: sourceSettings(spec),
    artifact: spec.artifact ?? artifactOfOldMaster(spec),
    targetPath: spec.targetPath || null,
    paths: spec.paths && spec.paths.length > 0 ? spec.paths : null,
    // Masters of version 1 know one mode only: what is in the artifact wins.
    overwrite: overwriteModeSchema.catch('always').parse(spec.overwrite),
    ...(spec.dryRun ? { dryRun: true } : {}),
    ...(spec.options ? { options: spec.options } : {}),
  };
}

function artifactOfOldMaster(spec: AgentRestoreSpec): StoredArtifact {
  if (spec.encrypt) throw new AppError('ARTIFACT_KEY_MISSING');
  return {
    target: jobTarget(spec.storage),
    storagePath: spec.storagePath,
    contentsPath: null,
    fileName: spec.fileName,
    checksum: spec.checksum || null,
    fileSize: null,
    encryption: null,
  };
}
