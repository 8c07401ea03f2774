/**
 * One restore: storage → checksum → decryption → decompression → archive → source. The checksum is known to be right
 * only after the last byte, so the session replaces nothing before `commit`, and `rollback` takes back what is new.
 */
import { statfs } from 'node:fs/promises';
import { AppError, toAppError } from '@backupx/contracts/errors';
import type { RunRestoreJob, RunRestoreResult } from '@backupx/contracts/jobs';
import type { RestoreOutcome, RestoreSession } from '../ports/source.ts';
import type { JobContext } from './job-context.ts';
import { openArtifact } from './open-artifact.ts';
import { openTarget } from './open-target.ts';
import { openSource } from './parse-settings.ts';
import { ProblemList } from './problem-list.ts';
import { ProgressMeter } from './progress-meter.ts';

/**
 * Runs a restore. Throws ARTIFACT_*, RESTORE_TARGET_INVALID, RESTORE_NOTHING_WRITTEN, STORAGE_*, CANCELLED; then the
 * target is as it was before. Problems with single items make the result a `warning`.
 */
export async function runRestore(job: RunRestoreJob, context: JobContext): Promise<RunRestoreResult> {
  const problems = new ProblemList(context.reporter);
  const meter = new ProgressMeter(context.reporter, { storedTotal: job.artifact.fileSize });
  meter.enter('preparing');
  const storage = openTarget(context, { target: job.artifact.target, restoreRecordId: job.restoreRecordId });
  try {
    const session = await openSession({ job, context, problems, meter });
    const outcome = await writeAll({ job, context, session, storage, meter });
    assertSomethingWritten(outcome, job, problems.count);
    meter.enter('done');
    const status = problems.count > 0 ? 'warning' : 'success';
    return { status, ...outcome, problems: problems.listed, problemCount: problems.count };
  } finally {
    meter.stop();
    await storage.close?.().catch(() => {});
  }
}

interface RestoreParts {
  readonly job: RunRestoreJob;
  readonly context: JobContext;
  readonly meter: ProgressMeter;
}

async function openSession(parts: RestoreParts & { problems: ProblemList }): Promise<RestoreSession> {
  const { job, context, problems, meter } = parts;
  const { driver, config } = openSource(context.drivers.sources, job.source);
  const { counters } = meter;
  const session = await driver.restore(config, {
    signal: context.signal,
    targetPath: job.targetPath,
    paths: job.paths,
    overwrite: job.overwrite,
    tempDir: context.tempDir,
    problem(problem) {
      problems.add(problem);
      counters.problemCount = problems.count;
    },
    log: (level, message) => context.reporter.log(level, message),
    progress({ items = 0, bytes = 0, currentItem }) {
      counters.itemsDone += items;
      counters.bytesDone += bytes;
      if (currentItem !== undefined) counters.currentItem = currentItem;
    },
  });
  try {
    await assertFreeSpace(job);
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
    const artifact = openArtifact(parts.storage, job.artifact, context.signal);
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

function assertSomethingWritten(outcome: RestoreOutcome, job: RunRestoreJob, problemCount: number): void {
  if (outcome.itemsWritten > 0) return;
  throw new AppError('RESTORE_NOTHING_WRITTEN', { reason: nothingWrittenReason(outcome, job, problemCount) });
}

function nothingWrittenReason({ itemsSkipped }: RestoreOutcome, job: RunRestoreJob, problemCount: number): string {
  if (problemCount > 0) return `all of it met problems (${problemCount}), see the log`;
  if (itemsSkipped > 0) {
    return `${itemsSkipped} item(s) were there already and the overwrite mode is "${job.overwrite.replace('_', ' ')}"`;
  }
  return job.paths === null ? 'the artifact is empty' : 'none of the selected paths is in the artifact';
}
