import { AppError } from '@backupx/contracts/errors';
import type { Snapshot } from '../format/snapshot-file.ts';
import { listRoots, listSnapshots, type SnapshotRoot } from '../snapshots.ts';
import { type DamagedFile, damageReason } from './index-files.ts';
import type { MaintenanceWork } from './maintenance-work.ts';

export interface ReadSnapshots<S = Snapshot> {
  /** Oldest first. */
  readonly snapshots: readonly S[];
  readonly damaged: readonly DamagedFile[];
}

/** Reads all snapshots that can be read; one that is forgotten meanwhile is left out. */
export function readSnapshots(work: MaintenanceWork): Promise<ReadSnapshots> {
  return readBy(listSnapshots, work);
}

/** The same, holding of each no more than its root. */
export function readRoots(work: MaintenanceWork): Promise<ReadSnapshots<SnapshotRoot>> {
  return readBy(listRoots, work);
}

async function readBy<S>(
  list: (...parts: Parameters<typeof listSnapshots>) => Promise<S[]>,
  { repository, signal }: MaintenanceWork,
): Promise<ReadSnapshots<S>> {
  const damaged: DamagedFile[] = [];
  const snapshots = await list(repository, signal, (name, error) => {
    damaged.push({ name, reason: damageReason(error) });
  });
  return { snapshots, damaged };
}

/** Snapshots, oldest first, by their ids, the beginnings of these, or `latest`. Throws SNAPSHOT_NOT_FOUND, SNAPSHOT_AMBIGUOUS. */
export function pickSnapshots(snapshots: readonly Snapshot[], ids: readonly string[]): Snapshot[] {
  const picked = new Set<Snapshot>();
  for (const text of ids) {
    const matches =
      text === 'latest' ? snapshots.slice(-1) : snapshots.filter(({ id }) => text !== '' && id.startsWith(text));
    const [match] = matches;
    if (!match) throw new AppError('SNAPSHOT_NOT_FOUND', { id: text });
    if (matches.length > 1) throw new AppError('SNAPSHOT_AMBIGUOUS', { id: text });
    picked.add(match);
  }
  return snapshots.filter((snapshot) => picked.has(snapshot));
}
