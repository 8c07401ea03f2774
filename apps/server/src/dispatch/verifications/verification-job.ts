/** Turns a verification into the job that does it. */
import type { DriverManifest } from '@backupx/contracts/driver-manifest';
import { AppError } from '@backupx/contracts/errors';
import type { StoredArtifact, VerifyArtifactJob } from '@backupx/contracts/jobs';
import { verifyModeSchema } from '@backupx/contracts/jobs';
import { recordsStore } from '../../stores/records.store.ts';
import { type VerifyRecordRow, verifyRecordsStore } from '../../stores/verify-records.store.ts';
import type { Db } from '../ports.ts';
import { settingsForRestore } from '../stored-secrets.ts';

export interface VerificationJobDeps {
  readonly db: Db;
  /** Opens sealed text. */
  readonly open: (sealed: string) => string;
  readonly sourceManifests: readonly DriverManifest[];
}

/** `artifactOf`: the artifact as the node of the verification sees it, with its lease. */
export async function verificationJob(
  deps: VerificationJobDeps,
  verifyRecordId: number,
  artifactOf: (row: VerifyRecordRow) => Promise<StoredArtifact>,
): Promise<VerifyArtifactJob> {
  const row = await verifyRecordsStore.get(deps.db, verifyRecordId);
  if (row.status !== 'running') throw new AppError('BACKUP_RECORD_NOT_ACTIVE');
  const record = await recordsStore.get(deps.db, row.record_id);
  const stored = JSON.parse(deps.open(record.source_sealed)) as Record<string, unknown>;
  const options =
    row.options_sealed === '' ? {} : (JSON.parse(deps.open(row.options_sealed)) as Record<string, unknown>);
  const manifest = deps.sourceManifests.find((one) => one.type === record.task_type);
  return {
    kind: 'verify_artifact',
    artifact: await artifactOf(row),
    source: { type: record.task_type, config: settingsForRestore(manifest, stored, options) },
    mode: verifyModeSchema.parse(row.mode),
    ...(Object.keys(options).length > 0 ? { options } : {}),
  };
}
