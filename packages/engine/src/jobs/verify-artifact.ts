/**
 * Proves that a backup can be restored, without touching what it was made from. A check that fails is an answer
 * (`failed`); what cannot be looked at (storage out of reach, key missing) is an error.
 */
import type { VerifyArtifactJob, VerifyArtifactResult, VerifyCheck } from '@backupx/contracts/jobs';
import type { Verifier } from '../ports/source.ts';
import type { JobContext } from './job-context.ts';
import { openSource, parseConfig } from './parse-settings.ts';
import { verifyArchive } from './verify-archive.ts';
import { createSampleChooser, type SampleChooser } from './verify-sample.ts';
import { verifySnapshot } from './verify-snapshot.ts';

/** What the ways of verifying share. */
export interface VerifyParts {
  readonly job: VerifyArtifactJob;
  readonly context: JobContext;
  readonly checks: VerifyCheck[];
  /** Of the source's own kind; null: it has none. */
  readonly verifier: Verifier | null;
  /** Chooses files that are restored and compared; null: nothing is. */
  readonly sample: SampleChooser | null;
}

export type VerifyCounts = Pick<VerifyArtifactResult, 'itemCount' | 'sourceBytes' | 'storedBytes'>;

/** Throws STORAGE_*, ARTIFACT_KEY_*, REPOSITORY_* other than damage, DATABASE_* of servers and tools, CANCELLED. */
export async function verifyArtifact(job: VerifyArtifactJob, context: JobContext): Promise<VerifyArtifactResult> {
  const checks: VerifyCheck[] = [];
  const { verifier, sample } = await openMeans(job, context);
  const parts: VerifyParts = { job, context, checks, verifier, sample };
  try {
    const { snapshot } = job.artifact;
    const counts = await (snapshot ? verifySnapshot(parts, snapshot) : verifyArchive(parts));
    const status = checks.every((check) => check.ok) ? 'success' : 'failed';
    return { status, checks, ...counts };
  } finally {
    await verifier?.close();
  }
}

/** Sources that read a file system are proven by a sample of restored files, others by a verifier of their own. */
async function openMeans(
  { source, mode, options }: VerifyArtifactJob,
  context: JobContext,
): Promise<Pick<VerifyParts, 'verifier' | 'sample'>> {
  if (!source) return { verifier: null, sample: null };
  const { driver, config } = openSource(context.drivers.sources, source);
  if (!driver.openVerifier) {
    const canSample = mode === 'deep' && driver.ancestors !== undefined;
    return { verifier: null, sample: canSample ? createSampleChooser(driver, context) : null };
  }
  const verifier = await driver.openVerifier(config, {
    signal: context.signal,
    tempDir: context.tempDir,
    depth: mode,
    options: driver.restoreConfig ? parseConfig({ config: driver.restoreConfig }, options ?? {}) : {},
    log: (level, message) => context.reporter.log(level, message),
  });
  return { verifier, sample: null };
}
