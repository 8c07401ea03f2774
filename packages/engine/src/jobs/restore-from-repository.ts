/**
 * A restore from a snapshot of a repository. Every blob is verified before it is written, so each file is put in its
 * place as soon as it is whole; what was restored before a failure stays, and the next run takes it over.
 */
import { toAppError } from '@backupx/contracts/errors';
import type { RunRestoreJob, RunRestoreResult, StoredArtifact } from '@backupx/contracts/jobs';
import type { RestoreOutcome, RestoreSession } from '../ports/source.ts';
import type { BlobIndex } from '../repository/blob-index.ts';
import type { Snapshot } from '../repository/format/snapshot-file.ts';
import { loadIndex } from '../repository/load-index.ts';
import type { Repository } from '../repository/open-repository.ts';
import type { PieceSession } from '../repository/restore/restore-files.ts';
import { restoreSnapshot } from '../repository/restore/restore-snapshot.ts';
import { restoreStreams } from '../repository/restore/restore-streams.ts';
import { findSnapshot } from '../repository/snapshots.ts';
import type { JobContext } from './job-context.ts';
import { withRepository } from './open-repository-access.ts';
import { assertSomethingWritten, openRestoreSession, type RestoreParts } from './open-restore-session.ts';
import { ProblemList } from './problem-list.ts';
import { ProgressMeter } from './progress-meter.ts';

/**
 * More threads than this would wait for the one that writes. As many as there are cores, because that one mostly waits for
 * content: with one fewer, large files took two cores half as long again.
 */
const MAX_THREADS = 4;

type SnapshotArtifact = NonNullable<StoredArtifact['snapshot']>;

/**
 * Runs it. Throws REPOSITORY_*, SNAPSHOT_*, RESTORE_TARGET_INVALID, RESTORE_NOTHING_WRITTEN, STORAGE_*, CANCELLED.
 * Content that is lost and other problems with single items make the result a `warning`.
 */
export async function restoreFromRepository(
  job: RunRestoreJob,
  { repository: access, snapshotId }: SnapshotArtifact,
  context: JobContext,
): Promise<RunRestoreResult> {
  const problems = new ProblemList(context.reporter);
  const meter = new ProgressMeter(context.reporter);
  const parts: RestoreParts = { job, context, problems, meter };
  meter.enter('preparing');
  try {
    const outcome = await withRepository(context, access, { lock: 'shared' }, async (repository, signal) => {
      const snapshot = await findSnapshot(repository, snapshotId, signal);
      return await restore(parts, { repository, snapshot, condemnedPacks: access.condemnedPacks, signal });
    });
    if (!job.dryRun) assertSomethingWritten(outcome, parts);
    meter.enter('done');
    const status = problems.count > 0 ? 'warning' : 'success';
    return { status, ...outcome, problems: problems.listed, problemCount: problems.count };
  } finally {
    meter.stop();
  }
}

interface OpenSnapshot {
  readonly repository: Repository;
  readonly snapshot: Snapshot;
  readonly condemnedPacks: readonly string[];
  readonly signal: AbortSignal;
}

async function restore(parts: RestoreParts, source: OpenSnapshot): Promise<RestoreOutcome> {
  const { job, context, problems, meter } = parts;
  const { repository, snapshot, signal } = source;
  const onDamaged = (name: string) =>
    context.reporter.log(
      'warn',
      `The index file ${name.slice(0, 8)} is damaged; what only it names cannot be restored.`,
    );
  const index = await loadIndex(repository, { signal, onDamaged });
  const isDryRun = job.dryRun === true;
  const session = await openRestoreSession(parts, { isVerified: true, isDryRun }, signal);
  meter.enter('running');
  setTotals(parts, snapshot);
  if (!isPieceSession(session)) return await restoreStreamed(parts, { ...source, index, session });
  try {
    await restoreSnapshot({
      ...{ repository, index, snapshot, session, isDryRun, signal },
      avoidedPacks: new Set(source.condemnedPacks),
      paths: job.paths,
      threads: Math.max(1, Math.min(MAX_THREADS, context.compressionParallelism)),
      events: {
        problem(problem) {
          problems.add(problem);
          meter.counters.problemCount = problems.count;
        },
        log: (level, message) => context.reporter.log(level, message),
        onKept(bytes) {
          meter.counters.bytesDone += bytes;
        },
        onFetched(bytes) {
          meter.counters.bytesStored += bytes;
        },
      },
    });
  } catch (error) {
    // What is in place stays, and its folders get their metadata.
    await session.commit();
    context.reporter.log('info', 'The restore did not finish. What is in place is whole; run it again for the rest.');
    throw toAppError(error);
  }
  meter.enter('finishing');
  return await session.commit();
}

function isPieceSession(session: RestoreSession): session is PieceSession {
  return session.openFile !== undefined;
}

/** Nothing of a dump is put in place before all of it has come through. */
async function restoreStreamed(
  { job, context, meter }: RestoreParts,
  source: OpenSnapshot & { readonly index: BlobIndex; readonly session: RestoreSession },
): Promise<RestoreOutcome> {
  const { session } = source;
  const onRead = (bytes: number) => {
    meter.counters.bytesStored += bytes;
  };
  try {
    await restoreStreams({ ...source, paths: job.paths, onRead });
    meter.enter('finishing');
    return await session.commit();
  } catch (error) {
    context.reporter.log('info', 'The restore did not finish; what it wrote is removed again.');
    await session.rollback();
    throw toAppError(error);
  }
}

/** Known for whole snapshots of programs that wrote a summary. */
function setTotals({ job, meter }: RestoreParts, { summary }: Snapshot): void {
  if (job.paths !== null || summary === null) return;
  const { totalFilesProcessed, totalBytesProcessed, dirsNew, dirsChanged, dirsUnmodified } = summary;
  meter.setTotals({ items: totalFilesProcessed + dirsNew + dirsChanged + dirsUnmodified, bytes: totalBytesProcessed });
}
