import type { BrowseArtifactJob, BrowseArtifactResult, StoredArtifact } from '@backupx/contracts/jobs';
import { systemClock } from '../ports/clock.ts';
import { type EntryPage, listFolder } from '../repository/browse/list-folder.ts';
import { searchSnapshot } from '../repository/browse/search-snapshot.ts';
import { fromHex } from '../repository/format/blob-id.ts';
import { findSnapshot } from '../repository/snapshots.ts';
import type { JobContext } from './job-context.ts';
import { type KeptView, withKept } from './kept-repositories.ts';

/** Counting further hits of a search ends after this time. */
const COUNTING_MS = 3_000;

/** Lists a folder of a snapshot or searches it. Throws SNAPSHOT_*, PATH_NOT_FOUND, REPOSITORY_*, STORAGE_*. */
export async function browseSnapshot(
  { repository: access, snapshotId }: NonNullable<StoredArtifact['snapshot']>,
  job: BrowseArtifactJob,
  context: JobContext,
): Promise<BrowseArtifactResult> {
  return await withKept(context, (kept) =>
    kept.use(context, access, async (view) => {
      const { tree } = await findSnapshot(view.repository, snapshotId, context.signal);
      const { entries, total } = await readPage(view, { root: fromHex(tree), job, signal: context.signal });
      const end = job.offset + entries.length;
      return { entries, total, nextOffset: entries.length > 0 && end < total ? end : null };
    }),
  );
}

interface PageRequest {
  readonly root: Uint8Array;
  readonly job: BrowseArtifactJob;
  readonly signal: AbortSignal;
}

function readPage({ loader }: KeptView, { root, job, signal }: PageRequest): Promise<EntryPage> {
  const { path, search, offset, limit } = job;
  if (!search) return listFolder(loader, root, { path, offset, limit });
  const deadlineMs = systemClock.monotonicMs() + COUNTING_MS;
  const isTimeUp = () => systemClock.monotonicMs() > deadlineMs;
  return searchSnapshot(loader, root, { search, offset, limit, isTimeUp, signal });
}
