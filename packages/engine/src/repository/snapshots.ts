/** The snapshots of a repository: listing, finding, saving. */
import { AppError } from '@backupx/contracts/errors';
import type { SnapshotInfo } from '@backupx/contracts/jobs';
import { parseGoTime } from './format/go-time.ts';
import { packSnapshot, parseSnapshot, type Snapshot } from './format/snapshot-file.ts';
import type { Repository } from './open-repository.ts';

const READS_AT_ONCE = 8;

/**
 * All snapshots, oldest first. `onDamaged` hears of files that cannot be read, which are then left out; without it the
 * first of them is thrown (REPOSITORY_DAMAGED). One that is removed meanwhile is left out.
 */
export async function listSnapshots(
  repository: Repository,
  signal: AbortSignal,
  onDamaged?: (name: string, error: AppError) => void,
): Promise<Snapshot[]> {
  const names: string[] = [];
  for await (const { name } of repository.list('snapshots', signal)) names.push(name);
  const snapshots: Snapshot[] = [];
  const waiting = names.values();
  const readNext = async () => {
    for (const name of waiting) {
      try {
        snapshots.push(await readSnapshot(repository, name, signal));
      } catch (error) {
        if (isCode(error, 'SNAPSHOT_NOT_FOUND')) continue;
        if (!onDamaged || !isCode(error, 'REPOSITORY_DAMAGED')) throw error;
        onDamaged(name, error);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(READS_AT_ONCE, names.length) }, readNext));
  return sortByTime(snapshots);
}

function isCode(error: unknown, code: AppError['code']): error is AppError {
  return error instanceof AppError && error.code === code;
}

function sortByTime(snapshots: Snapshot[]): Snapshot[] {
  const keyed = snapshots.map((snapshot) => ({ snapshot, at: parseGoTime(snapshot.time) }));
  keyed.sort((a, b) => (a.at === b.at ? compare(a.snapshot.id, b.snapshot.id) : a.at < b.at ? -1 : 1));
  return keyed.map(({ snapshot }) => snapshot);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

async function readSnapshot(repository: Repository, name: string, signal: AbortSignal): Promise<Snapshot> {
  try {
    return parseSnapshot(name, await repository.readFile('snapshots', name, signal));
  } catch (error) {
    if (!isCode(error, 'STORAGE_NOT_FOUND')) throw error;
    throw new AppError('SNAPSHOT_NOT_FOUND', { id: name }, { cause: error });
  }
}

/**
 * The snapshot whose id begins with `text` (hex), or the newest for `latest`. Throws SNAPSHOT_NOT_FOUND,
 * SNAPSHOT_AMBIGUOUS, REPOSITORY_DAMAGED.
 */
export async function findSnapshot(repository: Repository, text: string, signal: AbortSignal): Promise<Snapshot> {
  if (text === 'latest') {
    const newest = (await listSnapshots(repository, signal)).at(-1);
    if (!newest) throw new AppError('SNAPSHOT_NOT_FOUND', { id: text });
    return newest;
  }
  const wanted = text.toLowerCase();
  if (!/^[0-9a-f]{1,64}$/.test(wanted)) throw new AppError('SNAPSHOT_NOT_FOUND', { id: text });
  if (wanted.length === 64) return await readSnapshot(repository, wanted, signal);
  const found: string[] = [];
  for await (const { name } of repository.list('snapshots', signal)) if (name.startsWith(wanted)) found.push(name);
  const [only] = found;
  if (only === undefined) throw new AppError('SNAPSHOT_NOT_FOUND', { id: text });
  if (found.length > 1) throw new AppError('SNAPSHOT_AMBIGUOUS', { id: text });
  return await readSnapshot(repository, only, signal);
}

/**
 * Stores a snapshot. Everything it needs must be named by an index already. Throws STORAGE_FAILED when it got lost.
 */
export async function saveSnapshot(
  repository: Repository,
  snapshot: Omit<Snapshot, 'id'>,
  signal: AbortSignal,
): Promise<Snapshot> {
  const id = await repository.saveFile('snapshots', packSnapshot(snapshot), signal);
  return { id, ...snapshot };
}

/** A snapshot as results of jobs show it. */
export function snapshotInfo(snapshot: Snapshot): SnapshotInfo {
  const { id, time, hostname, username, paths, tags, tree, parent, programVersion, summary } = snapshot;
  return {
    ...{ id, time, hostname, username, tree, parent, programVersion },
    paths: [...paths],
    tags: [...tags],
    summary: summary && {
      filesNew: summary.filesNew,
      filesChanged: summary.filesChanged,
      filesUnmodified: summary.filesUnmodified,
      bytesAdded: summary.dataAdded,
      bytesStored: summary.dataAddedPacked,
      filesProcessed: summary.totalFilesProcessed,
      bytesProcessed: summary.totalBytesProcessed,
    },
  };
}
