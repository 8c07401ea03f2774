import type { ListSnapshotsJob, ListSnapshotsResult } from '@backupx/contracts/jobs';
import type { Snapshot } from '../repository/format/snapshot-file.ts';
import { listSnapshots as readSnapshots, snapshotInfo } from '../repository/snapshots.ts';
import type { JobContext } from './job-context.ts';
import { withRepository } from './open-repository-access.ts';

/** Snapshots of a host, with all of the tags, of a path or what lies above it. Damaged ones are logged and left out. */
export function listSnapshots(job: ListSnapshotsJob, context: JobContext): Promise<ListSnapshotsResult> {
  return withRepository(context, job.repository, { lock: null }, async (repository, signal) => {
    const all = await readSnapshots(repository, signal, (_, error) => context.reporter.log('error', error.message));
    return { snapshots: all.filter((snapshot) => isWanted(snapshot, job)).map(snapshotInfo) };
  });
}

function isWanted({ hostname, tags, paths }: Snapshot, wanted: ListSnapshotsJob): boolean {
  if (wanted.hostname !== null && hostname !== wanted.hostname) return false;
  if (!wanted.tags.every((tag) => tags.includes(tag))) return false;
  const { path } = wanted;
  return path === null || paths.some((root) => root === path || isAbove(root, path));
}

function isAbove(folder: string, path: string): boolean {
  return path.startsWith(folder.endsWith('/') ? folder : `${folder}/`);
}
