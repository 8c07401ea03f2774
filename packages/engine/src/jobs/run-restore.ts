/**
 * One restore of an archive: storage → checksum → decryption → decompression → archive → source. The checksum is known to be right
 * only after the last byte, so the session replaces nothing before `commit`, and `rollback` takes back what is new.
 * Snapshots of repositories are another thing: `restore-from-repository.ts`.
 */
import { statfs } from 'node:fs/promises';
import { AppError, toAppError } from '@backupx/contracts/errors';
import type { RunRestoreJob, RunRestoreResult } from '@backupx/contracts/jobs';
import type { RestoreOutcome, RestoreSession } from '../ports/source.ts';
import type { JobContext } from './job-context.ts';
import { openArtifact } from './open-artifact.ts';
import { assertSomethingWritten, openRestoreSession, type RestoreParts } from './open-restore-session.ts';
import { openTarget } from './open-target.ts';
import { ProblemList } from './problem-list.ts';
import { ProgressMeter } from './progress-meter.ts';

/**
 * Runs a restore. Throws ARTIFACT_*, RESTORE_TARGET_INVALID, RESTORE_NOTHING_WRITTEN, STORAGE_*, CANCELLED; then the
 * target is as it was before. Problems with single items make the result a `warning`.
 */
export async function runRestore(job: RunRestoreJob, context: JobContext): Promise<RunRestoreResult> {
  if (job.artifact.snapshot) {
    // Loaded when needed: all of the repository's code hangs on it.
    const { restoreFromRepository } = await import('./restore-from-repository.ts');
    return await restoreFromRepository(job, job.artifact.snapshot, context);
  }
  if (job.dryRun) {
    throw new AppError('NOT_SUPPORTED', { what: 'A dry run of an archive', hint: 'Look at the list of its contents.' });
  }
  const problems = new ProblemList(context.reporter);
  const meter = new ProgressMeter(context.reporter, { storedTotal: job.artifact.fileSize });
  meter.enter('preparing');
  const storage = openTarget(context, { target: job.artifact.target, restoreRecordId: job.restoreRecordId });
  try {
    const parts: RestoreParts = { job, context, problems, meter };
    const session = await openSession(parts);
    const outcome = await writeAll({ ...parts, session, storage });
    assertSomethingWritten(outcome, parts);
    meter.enter('done');
    const status = problems.count > 0 ? 'warning' : 'success';
    return { status, ...outcome, problems: problems.listed, problemCount: problems.count };
  } finally {
    meter.stop();
    await storage.close?.().catch(() => {});
  }
}

async function openSession(parts: RestoreParts): Promise<RestoreSession> {
  const session = await openRestoreSession(parts);
  try {
    await assertFreeSpace(parts.job);
    return session;
  } catch (error) {
    await session.rollback();
    throw error;
  }
}

/** The stored size is the least that a whole restore needs (sparse or well compressed data apart, it needs more). */
async function assertFreeSpace({ targetPath, paths, artifact }: RunRestoreJob): Promise<void> {
  if (targetPath === null || paths !== null || artifact.fileSize === null) return;
  const space = await statfs(targetPath).catch(() => null);
  if (!space || space.blocks === 0 || space.bavail * space.bsize >= artifact.fileSize) return;
  const free = Math.floor((space.bavail * space.bsize) / 1e6);
  const reason = `${free} MB are free, at least ${Math.ceil(artifact.fileSize / 1e6)} MB are needed`;
  throw new AppError('RESTORE_TARGET_INVALID', { path: targetPath, reason });
}

async function writeAll(
  parts: RestoreParts & { session: RestoreSession; storage: ReturnType<typeof openTarget> },
): Promise<RestoreOutcome> {
  const { job, context, session, meter } = parts;
  try {
    const { signal, openPieces } = context;
    const isUsedAtOnce = session.usesContentAtOnce === true;
    const artifact = openArtifact(parts.storage, job.artifact, { signal, openPieces, isUsedAtOnce });
    meter.enter('running');
    for await (const entry of artifact.entries) {
      await session.write(entry);
      meter.counters.bytesStored = artifact.bytesRead;
    }
    artifact.assertWhole();
    meter.enter('finishing');
    return await session.commit();
  } catch (error) {
    context.reporter.log('info', 'The restore did not finish; what it wrote is removed again.');
    await session.rollback();
    throw toAppError(error);
  }
}
