/**
 * Restores a snapshot, or parts of it, through the session of a source. Reads blobs by packs, not by files: see
 * `plan-restore.ts` (what is needed), `plan-requests.ts` (in which reads) and `restore-pipeline.ts` (fetch, verify, write).
 */
import type { ItemProblem } from '@backupx/contracts/jobs';
import { displayPath } from '../../ports/display-path.ts';
import type { BlobIndex } from '../blob-index.ts';
import { createBlobReader } from '../blob-reader.ts';
import type { Snapshot } from '../format/snapshot-file.ts';
import type { Repository } from '../open-repository.ts';
import { PathSelection } from './path-selection.ts';
import { planRequests } from './plan-requests.ts';
import { RestorePlanner } from './plan-restore.ts';
import { type PieceSession, RestoreFiles } from './restore-files.ts';
import { RestorePipeline } from './restore-pipeline.ts';
import { TreeSource } from './tree-source.ts';
import { walkSnapshot } from './walk-snapshot.ts';

const TREE_CACHE_BYTES = 16 * 1024 * 1024;

export interface RestoreSnapshotOptions {
  readonly repository: Repository;
  readonly index: BlobIndex;
  readonly snapshot: Snapshot;
  /** Opened with `isVerified`. The caller commits it, also when this throws. */
  readonly session: PieceSession;
  /** Packs (hex) that are used only for blobs that lie nowhere else: they will be deleted. */
  readonly avoidedPacks: ReadonlySet<string>;
  /** Display paths, each with everything below it; null: all. */
  readonly paths: readonly string[] | null;
  readonly isDryRun: boolean;
  readonly signal: AbortSignal;
  /** Threads that open and verify blobs. */
  readonly threads: number;
  readonly events: RestoreEvents;
}

export interface RestoreEvents {
  problem(problem: ItemProblem): void;
  log(level: 'info' | 'warn', message: string): void;
  /** Bytes that are right without having been written. */
  onKept(bytes: number): void;
  /** Bytes read from the storage. */
  onFetched(bytes: number): void;
}

/**
 * Throws CANCELLED and what makes the repository unreadable as a whole (STORAGE_UNREACHABLE); then every file is either
 * whole in its place or not touched. Content that is lost is a problem of its files.
 */
export async function restoreSnapshot(options: RestoreSnapshotOptions): Promise<void> {
  const { repository, index, signal, session, events } = options;
  const reader = createBlobReader({ repository, index, signal, cacheBytes: TREE_CACHE_BYTES });
  const files = new RestoreFiles(session, events.problem);
  const pipeline = new RestorePipeline({ ...options, reader, files, onFetched: events.onFetched });
  const planner = new RestorePlanner({
    ...options,
    files,
    onKept: events.onKept,
    onWindow: (blobs) => pipeline.submit(planRequests(blobs)),
  });
  const selection = options.paths && new PathSelection(options.paths);
  try {
    const parts = walkSnapshot({
      trees: new TreeSource(reader),
      snapshot: options.snapshot,
      selection,
      onLostTree: (path, error) => reportLostTree(path, error, events),
    });
    for await (const part of parts) await planner.add(part);
    await planner.finish();
    await pipeline.drain();
  } catch (error) {
    await pipeline.close();
    files.discardAll();
    throw error;
  } finally {
    await pipeline.close();
  }
  for (const path of selection?.unmet ?? []) {
    events.problem({ path: displayPath(path), code: 'skipped', message: 'it is not in the snapshot' });
  }
  if (planner.skippedCount > 0)
    events.log('info', `${planner.skippedCount} socket(s) skipped: no program can make them.`);
}

function reportLostTree(path: string, error: unknown, events: RestoreEvents): void {
  const reason = error instanceof Error ? error.message : String(error);
  events.problem({
    path: displayPath(Buffer.from(path || '/', 'latin1')),
    code: 'unreadable',
    message: `what is in it is lost: ${reason}`,
  });
}
