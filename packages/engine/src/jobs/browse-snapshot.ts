import type { BrowseArtifactJob, BrowseArtifactResult, StoredArtifact } from '@backupx/contracts/jobs';
import { systemClock } from '../ports/clock.ts';
import { listFolder } from '../repository/browse/list-folder.ts';
import { searchSnapshot } from '../repository/browse/search-snapshot.ts';
import { fromHex } from '../repository/format/blob-id.ts';
import { findSnapshot } from '../repository/snapshots.ts';
import type { JobContext } from './job-context.ts';
import { KeptRepositories, type KeptView } from './kept-repositories.ts';

/** Counting further hits of a search ends after this time. */
const COUNTING_MS = 3_000;

/** Lists a folder of a snapshot or searches it. Throws SNAPSHOT_*, PATH_NOT_FOUND, REPOSITORY_*, STORAGE_*. */
export async function browseSnapshot(
  { repository: access, snapshotId }: NonNullable<StoredArtifact['snapshot']>,
  job: BrowseArtifactJob,
  context: JobContext,
): Promise<BrowseArtifactResult> {
  const slot = context.kept ?? { repositories: null };
  slot.repositories ??= new KeptRepositories();
  const kept = slot.repositories;
  try {
    return await kept.use(context, access, async (view) => {
      const { tree } = await findSnapshot(view.repository, snapshotId, context.signal);
      const { entries, total } = await readPage(view, fromHex(tree), job);
      const end = job.offset + entries.length;
      return { entries, total, nextOffset: entries.length > 0 && end < total ? end : null };
    });
  } finally {
    if (slot !== context.kept) kept.close();
  }
}

function readPage({ loader }: KeptView, root: Uint8Array, { path, search, offset, limit }: BrowseArtifactJob) {
  if (!search) return listFolder(loader, root, { path, offset, limit });
  const deadlineMs = systemClock.monotonicMs() + COUNTING_MS;
  const isTimeUp = () => systemClock.monotonicMs() > deadlineMs;
  return searchSnapshot(loader, root, { search, offset, limit, isTimeUp });
}
