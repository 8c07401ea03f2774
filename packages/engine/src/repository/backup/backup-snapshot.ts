/**
 * One backup into a repository: find the snapshot to compare with, load the index, read what is new, store packs, then
 * index, then the snapshot. Killed anywhere it leaves garbage at most; what an index names already is used again.
 */
import { AppError } from '@backupx/contracts/errors';
import type { DriverSettings } from '@backupx/contracts/jobs';
import type { Clock } from '../../ports/clock.ts';
import { createBlobReader } from '../blob-reader.ts';
import { fromHex, toHex } from '../format/blob-id.ts';
import type { Snapshot, SnapshotSummary } from '../format/snapshot-file.ts';
import { loadIndex } from '../load-index.ts';
import type { Repository } from '../open-repository.ts';
import { ownUser } from '../own-user.ts';
import { createPackWriter, type PackWriter } from '../pack-writer.ts';
import { findSnapshot, newestSnapshot, saveSnapshot } from '../snapshots.ts';
import { type BackupEvents, BackupPipeline, type PipelineResult } from './backup-pipeline.ts';
import type { BackupCounters } from './messages.ts';
import { ReadingThread } from './reading-thread.ts';

/** After a failure: time to name the packs that were stored, so that the next run need not store them again. */
const RESCUE_MS = 20_000;
/** For trees of the parent snapshot, which come one after the other. */
const TREE_CACHE_BYTES = 6 * 1024 * 1024;

export interface SnapshotBackupOptions {
  readonly repository: Repository;
  /** With checked settings. */
  readonly source: DriverSettings;
  readonly readersUrl: string;
  readonly tempDir: string;
  /** What the snapshot is named for; decides which earlier one it is compared with. */
  readonly paths: readonly string[];
  readonly excludes: readonly string[];
  readonly hostname: string;
  readonly tags: readonly string[];
  readonly programVersion: string;
  /** Id, or its beginning, of the snapshot to compare with; null: the newest of the same host and paths. */
  readonly parentId: string | null;
  /** Packs (hex) that must not be referred to. */
  readonly condemnedPacks: readonly string[];
  /** Compare only, store nothing. */
  readonly dryRun: boolean;
  readonly parallelism: number;
  /** Started early for this very source; it ends with the backup. Left out: one is started now. */
  readonly reading?: ReadingThread;
  readonly events: BackupEvents & { onStored(totalBytes: number): void };
  readonly signal: AbortSignal;
  readonly clock: Clock;
  /** Default 10 minutes. */
  readonly checkpointMs?: number;
}

export interface SnapshotBackupResult {
  /** Null after a dry run. */
  readonly snapshot: Snapshot | null;
  readonly parentId: string | null;
  readonly tree: string;
  readonly counters: BackupCounters;
  readonly blobsAdded: number;
  /** Bytes of all files stored. */
  readonly bytesStored: number;
}

/** See above. Throws SOURCE_*, STORAGE_*, REPOSITORY_*, CANCELLED. The caller holds a lock on the repository. */
export async function backupSnapshot(options: SnapshotBackupOptions): Promise<SnapshotBackupResult> {
  const { repository } = options;
  if (repository.config.version < 2) {
    const reason = 'it has format version 1, which is read but not written; "restic migrate upgrade_repo_v2" renews it';
    throw new AppError('REPOSITORY_UNSUPPORTED', { reason });
  }
  const { events, signal, parallelism } = options;
  const reading = options.reading ?? new ReadingThread(options);
  const pipeline = new BackupPipeline({ events, signal, parallelism, reading, masterKey: repository.masterKey });
  try {
    return await runPipeline(pipeline, options);
  } finally {
    await Promise.all([pipeline.close(), reading.close()]);
  }
}

async function runPipeline(pipeline: BackupPipeline, options: SnapshotBackupOptions): Promise<SnapshotBackupResult> {
  const { repository, signal, clock } = options;
  const startedAt = clock.now();
  const parent = await findParent(options);
  const index = await loadIndex(repository, { signal, ignoredPacks: new Set(options.condemnedPacks) });
  const writer = options.dryRun ? null : openWriter(options);
  let result: PipelineResult;
  try {
    result = await pipeline.run({
      writer,
      blobs: createBlobReader({ repository, index, signal, cacheBytes: TREE_CACHE_BYTES }),
      polynomial: repository.config.chunkerPolynomial,
      knownBlobs: index.share(),
      parentTree: parent && Uint8Array.from(fromHex(parent.tree)),
      wantsTotals: !parent?.summary,
    });
    await writer?.finish();
  } catch (error) {
    await rescueIndex(options, writer);
    throw error;
  }
  const tree = toHex(result.tree);
  const stats = writer?.stats ?? { blobs: 0, bytesStored: 0 };
  const common = { parentId: parent?.id ?? null, tree, counters: result.counters, blobsAdded: stats.blobs };
  if (!writer) return { ...common, snapshot: null, bytesStored: 0 };
  signal.throwIfAborted();
  const snapshot = await saveSnapshot(repository, newSnapshot(options, { ...common, startedAt, stats }), signal);
  return { ...common, snapshot, bytesStored: stats.bytesStored };
}

function openWriter(options: SnapshotBackupOptions): PackWriter {
  let total = 0;
  return createPackWriter({
    repository: options.repository,
    signal: options.signal,
    clock: options.clock,
    checkpointMs: options.checkpointMs,
    onStored(bytes) {
      total += bytes;
      options.events.onStored(total);
    },
  });
}

async function findParent(options: SnapshotBackupOptions): Promise<Snapshot | null> {
  const { repository, parentId, hostname, paths, signal, events } = options;
  if (parentId !== null) return await findSnapshot(repository, parentId, signal);
  const wanted = [...paths].sort().join('\0');
  const isSame = (snapshot: Snapshot) =>
    snapshot.hostname === hostname && [...snapshot.paths].sort().join('\0') === wanted;
  const parent = await newestSnapshot(repository, isSame, signal);
  if (parent?.summary) {
    const { totalFilesProcessed, totalBytesProcessed } = parent.summary;
    events.onTotals({ items: totalFilesProcessed, bytes: totalBytesProcessed });
  }
  return parent;
}

/**
 * Packs that were stored whole are named even though the run failed; but not without a lock: a clean-up may have deleted
 * them, and an index that named them all the same would keep later runs from storing what was in them.
 */
async function rescueIndex(options: SnapshotBackupOptions, writer: PackWriter | null): Promise<void> {
  if (!writer) return;
  try {
    const files = await writer.rescue(isLockLost(options.signal) ? 0 : RESCUE_MS);
    if (files.length > 0) options.events.onLog('info', 'What was stored so far is kept for the next run.');
  } catch {
    // The failure that led here is the one to tell.
  }
}

function isLockLost({ reason }: AbortSignal): boolean {
  return reason instanceof AppError && reason.code === 'REPOSITORY_LOCK_LOST';
}

interface NewSnapshot {
  readonly parentId: string | null;
  readonly tree: string;
  readonly counters: BackupCounters;
  readonly startedAt: Date;
  readonly stats: { readonly bytesStored: number };
}

function newSnapshot(options: SnapshotBackupOptions, made: NewSnapshot): Omit<Snapshot, 'id'> {
  const { username, uid, gid } = ownUser();
  const { paths, hostname, excludes, tags, programVersion } = options;
  return {
    time: made.startedAt.toISOString(),
    parent: made.parentId,
    tree: made.tree,
    ...{ paths, hostname, username, uid, gid, excludes, tags, programVersion },
    original: null,
    summary: summaryOf(made, options.clock.now()),
  };
}

function summaryOf({ counters, startedAt, stats }: NewSnapshot, endedAt: Date): SnapshotSummary {
  const { filesNew, filesChanged, filesUnmodified, dirsNew, dirsChanged, dirsUnmodified } = counters;
  return {
    backupStart: startedAt.toISOString(),
    backupEnd: endedAt.toISOString(),
    ...{ filesNew, filesChanged, filesUnmodified, dirsNew, dirsChanged, dirsUnmodified },
    dataBlobs: counters.dataBlobs,
    treeBlobs: counters.treeBlobs,
    dataAdded: counters.bytesAdded,
    dataAddedPacked: stats.bytesStored,
    totalFilesProcessed: counters.files,
    totalBytesProcessed: counters.bytes,
  };
}
