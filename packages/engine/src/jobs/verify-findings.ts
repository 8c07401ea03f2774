/** Tells damage of what is stored from trouble in looking at it. */
import { AppError } from '@backupx/contracts/errors';
import type { VerifyCheck } from '@backupx/contracts/jobs';

const DAMAGE: ReadonlySet<string> = new Set([
  'ARTIFACT_DAMAGED',
  'ARTIFACT_FORMAT',
  'STORAGE_NOT_FOUND',
  'REPOSITORY_DAMAGED',
  'SNAPSHOT_NOT_FOUND',
  'DATABASE_DUMP_DAMAGED',
  'DATABASE_DUMP_INCOMPLETE',
]);

/** The failed check that an error of damage stands for. Throws every other error. */
export function failedCheck(error: unknown, about: Pick<VerifyCheck, 'subject' | 'name'>): VerifyCheck {
  if (!(error instanceof AppError) || !DAMAGE.has(error.code)) throw error;
  return { ...about, ok: false, detail: error.message };
}

/** Bytes for people, in powers of ten. */
export function megabytes(bytes: number): string {
  return bytes < 1e5 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
