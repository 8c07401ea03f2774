/** What lies in a repository: asked of the node that keeps it, each time anew, under a lease. */
import { repositorySnapshotRoutes } from '@backupx/contracts/api/repository-snapshots';
import { AppError } from '@backupx/contracts/errors';
import type { RepositoryAccess, SnapshotInfo } from '@backupx/contracts/jobs';
import type { FastifyReply } from 'fastify';
import { restoreAnswer } from '../../dispatch/record-answer.ts';
import { withQuestionLease } from '../../dispatch/repositories/question-lease.ts';
import { keeperOf } from '../../dispatch/repositories/repository-place.ts';
import { snapshotArtifact } from '../../dispatch/repositories/snapshot-artifact.ts';
import { type BoundRoute, bind } from '../../http/route-context.ts';
import { sendDownload } from '../../http/send-download.ts';
import { repositoriesStore } from '../../stores/repositories.store.ts';
import { restoreRecordsStore } from '../../stores/restore-records.store.ts';
import { joinSnapshots } from './list-snapshots.ts';
import { nameOf, type RepositoriesFeatureDeps } from './repositories-deps.ts';

const LIST_TIMEOUT_MS = 60_000;
/** Looking through everything takes its time. */
const SEARCH_TIMEOUT_MS = 110_000;

/** Calls `work` with the repository as its keeper sees it. */
export async function withKeeper<T>(
  deps: RepositoriesFeatureDeps,
  repositoryId: number,
  work: (repository: RepositoryAccess, nodeId: number) => Promise<T>,
): Promise<T> {
  const row = await repositoriesStore.get(deps.db, repositoryId);
  const nodeId = keeperOf(row, deps.nodes.localNodeId);
  return await withQuestionLease(deps, { repositoryId, nodeId }, async (leaseId) =>
    work(await deps.door.access(repositoryId, nodeId, leaseId), nodeId),
  );
}

/** The full id of what was asked for. Throws SNAPSHOT_NOT_FOUND, SNAPSHOT_AMBIGUOUS. */
function resolve(snapshots: readonly SnapshotInfo[], wanted: string): SnapshotInfo {
  const found = wanted === 'latest' ? snapshots.slice(-1) : snapshots.filter((one) => one.id.startsWith(wanted));
  const [first] = found;
  if (!first) throw new AppError('SNAPSHOT_NOT_FOUND', { id: wanted });
  if (found.length > 1) throw new AppError('SNAPSHOT_AMBIGUOUS', { id: wanted });
  return first;
}

/** All snapshots of a repository, as its keeper sees them. */
export async function listAll(deps: RepositoriesFeatureDeps, repositoryId: number): Promise<SnapshotInfo[]> {
  return await withKeeper(deps, repositoryId, async (repository, nodeId) => {
    const job = { kind: 'list_snapshots', repository, hostname: null, tags: [], path: null } as const;
    return (await deps.ask(nodeId, { ...job, tags: [] }, LIST_TIMEOUT_MS)).snapshots;
  });
}

interface SnapshotFilter {
  readonly hostname?: string | undefined;
  readonly tag?: string | undefined;
  readonly path?: string | undefined;
}

function matches(snapshot: SnapshotInfo, { hostname, tag, path }: SnapshotFilter): boolean {
  return (
    (!hostname || snapshot.hostname === hostname) &&
    (!tag || snapshot.tags.includes(tag)) &&
    (!path || snapshot.paths.includes(path))
  );
}

const extensions = { tar: '.tar', zip: '.zip', raw: '' } as const;
const contentTypes = { tar: 'application/x-tar', zip: 'application/zip', raw: 'application/octet-stream' } as const;

interface Download {
  readonly repository: RepositoryAccess;
  readonly snapshotId: string;
  readonly path: string;
  readonly format: 'tar' | 'zip' | 'raw';
}

function fileNameOf({ snapshotId, path, format }: Download): string {
  const name = path.split('/').filter(Boolean).at(-1) ?? `snapshot-${snapshotId.slice(0, 8)}`;
  return `${name}${extensions[format]}`;
}

async function download(
  deps: RepositoriesFeatureDeps,
  wanted: Download,
  to: { reply: FastifyReply; signal: AbortSignal },
) {
  const { repository, snapshotId, format } = wanted;
  const path = wanted.path === '' ? null : wanted.path;
  const stream = deps.engine.openSnapshotStream({ repository, snapshotId, path, format }, to.signal);
  await sendDownload(to.reply, stream, { fileName: fileNameOf(wanted), contentType: contentTypes[format] });
}

export function repositorySnapshotsRoutes(deps: RepositoriesFeatureDeps): BoundRoute[] {
  const { db, clock, ask } = deps;
  return [
    bind(repositorySnapshotRoutes.list, async ({ params, query }) => {
      const all = await listAll(deps, params.id);
      const wanted = all.filter((snapshot) => matches(snapshot, query)).toReversed();
      const page = wanted.slice(query.offset, query.offset + query.limit);
      const hostnames = [...new Set(all.map((snapshot) => snapshot.hostname))].toSorted();
      return { items: await joinSnapshots(db, params.id, page), total: wanted.length, hostnames };
    }),
    bind(repositorySnapshotRoutes.contents, async ({ params, query }) => {
      const { id } = resolve(await listAll(deps, params.id), params.snapshotId);
      return await withKeeper(deps, params.id, (repository, nodeId) => {
        const artifact = snapshotArtifact(repository, id);
        const { path, offset, limit } = query;
        const job = { kind: 'browse_artifact', artifact, path, search: query.q || null, offset, limit } as const;
        return ask(nodeId, job, LIST_TIMEOUT_MS);
      });
    }),
    bind(repositorySnapshotRoutes.find, ({ params, query }) =>
      withKeeper(deps, params.id, (repository, nodeId) => {
        const snapshotIds = query.snapshotIds ? query.snapshotIds.split(',').filter(Boolean) : null;
        const { pattern, limit } = query;
        return ask(nodeId, { kind: 'find_in_repository', repository, pattern, snapshotIds, limit }, SEARCH_TIMEOUT_MS);
      }),
    ),
    bind(repositorySnapshotRoutes.diff, ({ params, query }) =>
      withKeeper(deps, params.id, (repository, nodeId) => {
        const { from, to, limit } = query;
        return ask(nodeId, { kind: 'diff_snapshots', repository, from, to, limit }, SEARCH_TIMEOUT_MS);
      }),
    ),
    bind(repositorySnapshotRoutes.download, async ({ params, query, audit, reply, signal }) => {
      const row = await repositoriesStore.get(db, params.id);
      if (row.is_on_node_disk === 1) {
        const hint = 'It lies on the disk of another server: restore it there.';
        throw new AppError('NOT_SUPPORTED', { what: `Downloading from the repository ${row.name}`, hint });
      }
      const { id } = resolve(await listAll(deps, params.id), params.snapshotId);
      audit({ target: row.name, detail: `${id.slice(0, 8)} ${query.path || 'everything'} as ${query.format}` });
      await withKeeper(deps, params.id, (repository) =>
        download(deps, { repository, snapshotId: id, path: query.path, format: query.format }, { reply, signal }),
      );
      return undefined;
    }),
    bind(repositorySnapshotRoutes.restore, async ({ params, body, actor, audit }) => {
      const { id: snapshotId } = resolve(await listAll(deps, params.id), params.snapshotId);
      const start = { repositoryId: params.id, snapshotId, input: body, requestedBy: nameOf(actor) };
      const view = await restoreRecordsStore.view(db, await deps.dispatcher.startSnapshotRestore(start));
      audit({ target: view.task_name, detail: `${snapshotId.slice(0, 8)} to ${view.target_path}` });
      return restoreAnswer(view, '', clock.now());
    }),
  ];
}
