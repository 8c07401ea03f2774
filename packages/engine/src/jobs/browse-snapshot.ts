import type { ArtifactEntry, BrowseArtifactJob, BrowseArtifactResult, StoredArtifact } from '@backupx/contracts/jobs';
import { systemClock } from '../ports/clock.ts';
import { parseInventory } from '../ports/database-inventory.ts';
import { readText } from '../ports/entry-content.ts';
import { findItem } from '../repository/browse/find-item.ts';
import { type EntryPage, listFolder } from '../repository/browse/list-folder.ts';
import { readContent } from '../repository/browse/read-content.ts';
import { searchSnapshot } from '../repository/browse/search-snapshot.ts';
import { fromHex } from '../repository/format/blob-id.ts';
import { findSnapshot } from '../repository/snapshots.ts';
import type { JobContext } from './job-context.ts';
import { type KeptView, withKept } from './kept-repositories.ts';
import { isInventory, orUnknown } from './saved-server.ts';

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
      const { signal } = context;
      const root = fromHex((await findSnapshot(view.repository, snapshotId, signal)).tree);
      const { entries, total } = await readPage(view, { root, job, signal });
      const end = job.offset + entries.length;
      const page = { entries, total, nextOffset: entries.length > 0 && end < total ? end : null };
      return job.source ? { ...page, server: await readServer(view, { root, entries, signal }) } : page;
    }),
  );
}

interface ServerRequest {
  readonly root: Uint8Array;
  /** One of them may be the inventory of a database. */
  readonly entries: readonly ArtifactEntry[];
  readonly signal: AbortSignal;
}

/** See `saved-server.ts`. */
async function readServer(
  { loader, readData }: KeptView,
  { root, entries, signal }: ServerRequest,
): Promise<string | null> {
  const inventory = entries.find(({ type, path }) => type === 'file' && isInventory(path));
  if (!inventory) return null;
  return await orUnknown(signal, async (limited) => {
    const { node } = await findItem(loader, root, inventory.path);
    return parseInventory(await readText(readContent(readData, node?.content ?? [], limited))).server;
  });
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
