/** Turns a verification into the job that does it. */
import { AppError } from '@backupx/contracts/errors';
import type { StoredArtifact, VerifyArtifactJob } from '@backupx/contracts/jobs';
import { verifyModeSchema } from '@backupx/contracts/jobs';
import { recordsStore } from '../../stores/records.store.ts';
import { type VerifyRecordRow, verifyRecordsStore } from '../../stores/verify-records.store.ts';
import type { Db } from '../ports.ts';

export interface VerificationJobDeps {
  readonly db: Db;
  /** Opens sealed text. */
  readonly open: (sealed: string) => string;
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
  return {
    kind: 'verify_artifact',
    artifact: await artifactOf(row),
    source: { type: record.task_type, config: JSON.parse(deps.open(record.source_sealed)) },
    mode: verifyModeSchema.parse(row.mode),
  };
}
