/**
 * A backup into repositories: a snapshot in the first, copied from there into the others. The same problems, progress
 * and record as a backup into an archive; only what is stored differs.
 */
import { AppError, toAppError } from '@backupx/contracts/errors';
import type { RepositoryAccess, RunBackupJob, RunBackupResult, TargetResult } from '@backupx/contracts/jobs';
import { systemClock } from '../ports/clock.ts';
import { backupSnapshot, type SnapshotBackupResult } from '../repository/backup/backup-snapshot.ts';
import type { BackupCounters } from '../repository/backup/messages.ts';
import { ReadingThread } from '../repository/backup/reading-thread.ts';
import type { Repository } from '../repository/open-repository.ts';
import type { JobContext } from './job-context.ts';
import { withRepository } from './open-repository-access.ts';
import { openSource } from './parse-settings.ts';
import { ProblemList } from './problem-list.ts';
import { ProgressMeter } from './progress-meter.ts';

const PROGRAM_VERSION = 'backupx 0.1.0';

type Snapshot = NonNullable<RunBackupResult['snapshot']>;

interface Parts {
  readonly job: RunBackupJob;
  readonly context: JobContext;
  readonly problems: ProblemList;
  readonly meter: ProgressMeter;
  readonly reading: ReadingThread;
}

interface StoredSnapshot {
  readonly access: RepositoryAccess;
  readonly snapshotId: string;
  readonly bytesStored: number;
}

/**
 * Runs it. Throws SOURCE_*, REPOSITORY_*, STORAGE_*, CANCELLED of the first repository; one of the others that gets no
 * copy makes the result a `warning`, as do problems with single items.
 */
export async function backupIntoRepository(
  job: RunBackupJob,
  repositories: readonly RepositoryAccess[],
  context: JobContext,
): Promise<RunBackupResult> {
  const [first, ...others] = repositories;
  if (!first) throw new AppError('INTERNAL', {}, { cause: new Error('a backup into no repository') });
  // It loads its modules while the repository is opened and locked.
  const reading = startReading(job, context);
  const problems = new ProblemList(context.reporter);
  const meter = new ProgressMeter(context.reporter);
  const parts: Parts = { job, context, problems, meter, reading };
  try {
    meter.enter('preparing');
    const made = await withRepository(
      context,
      first,
      { lock: job.snapshot?.dryRun ? null : 'shared', bandwidthBytesPerSecond: job.bandwidthBytesPerSecond },
      (repository, signal) => makeSnapshot(parts, { access: first, repository, signal }),
    );
    logOutcome(context, made);
    meter.enter('finishing');
    const results: TargetResult[] = [targetResult(first, made)];
    for (const access of others) results.push(await copyTo(parts, { from: first, to: access, made }));
    meter.enter('done');
    return backupResult(parts, { first, made, results });
  } finally {
    meter.stop();
    await reading.close();
  }
}

function startReading(job: RunBackupJob, context: JobContext): ReadingThread {
  const { readersUrl, tempDir, compressionParallelism: parallelism } = context;
  if (readersUrl === null) throw new AppError('INTERNAL', {}, { cause: new Error('backups run in threads') });
  const { config } = openSource(context.drivers.sources, job.source);
  return new ReadingThread({ source: { type: job.source.type, config }, readersUrl, tempDir, parallelism });
}

async function makeSnapshot(
  { job, context, problems, meter, reading }: Parts,
  place: { access: RepositoryAccess; repository: Repository; signal: AbortSignal },
): Promise<SnapshotBackupResult> {
  const { driver, config } = openSource(context.drivers.sources, job.source);
  const { counters } = meter;
  if (context.readersUrl === null) throw new AppError('INTERNAL', {}, { cause: new Error('backups run in threads') });
  meter.enter('running');
  return await backupSnapshot({
    repository: place.repository,
    source: { type: job.source.type, config },
    readersUrl: context.readersUrl,
    tempDir: context.tempDir,
    paths: driver.snapshotPaths?.(config) ?? [`/${job.source.type}`],
    excludes: textList(config.excludePatterns),
    hostname: job.snapshot?.hostname ?? '',
    tags: job.snapshot?.tags ?? [],
    programVersion: PROGRAM_VERSION,
    parentId: job.snapshot?.parentId ?? null,
    condemnedPacks: place.access.condemnedPacks,
    dryRun: job.snapshot?.dryRun ?? false,
    parallelism: context.compressionParallelism,
    reading,
    signal: place.signal,
    clock: systemClock,
    events: {
      onProblem(problem) {
        problems.add(problem);
        counters.problemCount = problems.count;
      },
      onLog: (level, message) => context.reporter.log(level, message),
      onTotals: (totals) => meter.setTotals(totals),
      onProgress(read: Readonly<BackupCounters>) {
        counters.itemsDone = read.items;
        counters.bytesDone = read.bytes;
        counters.currentItem = read.currentItem;
      },
      onStored(bytes) {
        counters.bytesStored = bytes;
      },
    },
  });
}

function textList(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : [];
}

/** The second copy. It fails alone: the first is whole. */
async function copyTo(
  { context, meter }: Parts,
  { from, to, made }: { from: RepositoryAccess; to: RepositoryAccess; made: SnapshotBackupResult },
): Promise<TargetResult> {
  const about = { targetId: to.target.id, targetName: to.target.name, viaMaster: to.target.viaMaster };
  const { snapshot } = made;
  if (!snapshot) return { ...about, status: 'success' };
  try {
    context.reporter.log('info', `Copying the snapshot to ${to.target.name}.`);
    const { copySnapshots } = await import('../repository/maintenance/copy-snapshots.ts');
    return await withRepository(context, from, { lock: 'shared' }, (source, sourceSignal) =>
      withRepository(context, to, { lock: 'shared' }, async (target, targetSignal) => {
        const signal = AbortSignal.any([sourceSignal, targetSignal]);
        const { condemnedPacks } = to;
        const copy = await copySnapshots({
          from: source,
          to: target,
          snapshotIds: [snapshot.id],
          condemnedPacks,
          signal,
        });
        meter.counters.bytesStored += copy.bytesStored;
        const snapshotId = copy.copied[0]?.to;
        if (snapshotId === undefined) throw new AppError('SNAPSHOT_NOT_FOUND', { id: snapshot.id });
        return targetResult(to, { access: to, snapshotId, bytesStored: copy.bytesStored });
      }),
    );
  } catch (error) {
    const failure = toAppError(error);
    if (context.signal.aborted) throw failure;
    context.reporter.log('error', `Copying to ${to.target.name} failed: ${failure.message}`);
    return { ...about, status: 'failed', error: failure.message };
  }
}

/** What a reader of the log wants to know of the run. */
function logOutcome(
  { reporter }: JobContext,
  { snapshot, parentId, counters, bytesStored }: SnapshotBackupResult,
): void {
  const { filesNew, filesChanged, filesUnmodified, bytesAdded } = counters;
  const compared =
    parentId === null
      ? 'There was no earlier snapshot to compare with.'
      : `Compared with snapshot ${parentId.slice(0, 8)}.`;
  reporter.log(
    'info',
    `${compared} ${filesNew} new, ${filesChanged} changed and ${filesUnmodified} unmodified file(s).`,
  );
  const megabytes = (bytes: number) => (bytes / 1e6).toFixed(1);
  const saved = snapshot ? ` Snapshot ${snapshot.id.slice(0, 8)} is saved.` : '';
  reporter.log('info', `${megabytes(bytesAdded)} MB are new, stored in ${megabytes(bytesStored)} MB.${saved}`);
}

/** Where the file of a snapshot lies in the storage of its repository. */
export function snapshotPath(prefix: string, snapshotId: string): string {
  return prefix === '' ? `snapshots/${snapshotId}` : `${prefix}/snapshots/${snapshotId}`;
}

function targetResult(access: RepositoryAccess, made: SnapshotBackupResult | StoredSnapshot): TargetResult {
  const { id: targetId, name: targetName, viaMaster } = access.target;
  const id = 'snapshotId' in made ? made.snapshotId : made.snapshot?.id;
  const common = { targetId, targetName, viaMaster, status: 'success' as const, fileSize: made.bytesStored };
  return id === undefined ? common : { ...common, storagePath: snapshotPath(access.prefix, id) };
}

function backupResult(
  { problems }: Parts,
  { first, made, results }: { first: RepositoryAccess; made: SnapshotBackupResult; results: readonly TargetResult[] },
): RunBackupResult {
  const { snapshot, counters } = made;
  const isWhole = problems.count === 0 && results.every((target) => target.status === 'success');
  return {
    status: isWhole ? 'success' : 'warning',
    fileName: snapshot ? `snapshot ${snapshot.id.slice(0, 8)}` : 'dry run',
    storagePath: snapshot ? snapshotPath(first.prefix, snapshot.id) : '',
    contentsPath: '',
    fileSize: made.bytesStored,
    // The name of a snapshot file is the SHA-256 of its bytes.
    checksum: snapshot?.id ?? '',
    sourceBytes: counters.bytes,
    itemCount: counters.items,
    targets: [...results],
    problems: problems.listed,
    problemCount: problems.count,
    snapshot: snapshotFigures(made),
  };
}

function snapshotFigures({ snapshot, parentId, counters, blobsAdded, bytesStored }: SnapshotBackupResult): Snapshot {
  const { filesNew, filesChanged, filesUnmodified, bytesAdded } = counters;
  const snapshotId = snapshot?.id ?? '';
  return { snapshotId, parentId, filesNew, filesChanged, filesUnmodified, blobsAdded, bytesAdded, bytesStored };
}
