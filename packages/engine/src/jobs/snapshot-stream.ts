/** A file of a snapshot as it is, or a part of it as one archive: for downloads and `dump`. */
import { AppError } from '@backupx/contracts/errors';
import type { SnapshotStreamRequest } from '../ports/engine.ts';
import { findItem, type SnapshotItem } from '../repository/browse/find-item.ts';
import { readContent } from '../repository/browse/read-content.ts';
import { itemsBelow } from '../repository/browse/snapshot-items.ts';
import { atPath } from '../repository/browse/tree-loader.ts';
import { fromHex } from '../repository/format/blob-id.ts';
import { findSnapshot } from '../repository/snapshots.ts';
import type { JobContext } from './job-context.ts';
import { type KeptView, withKept } from './kept-repositories.ts';
import { withRepository } from './open-repository-access.ts';
import { writeSnapshotTar } from './snapshot-tar.ts';
import { writeSnapshotZip } from './snapshot-zip.ts';

/**
 * Streams it; nothing is kept on disk. Every blob is verified; one that is damaged ends the stream with
 * REPOSITORY_DAMAGED, which names the item. Throws before the first byte: SNAPSHOT_*, PATH_NOT_FOUND, REPOSITORY_*,
 * INVALID_INPUT (`raw` of something that is no file).
 */
export async function* streamSnapshot(request: SnapshotStreamRequest, context: JobContext): AsyncGenerator<Uint8Array> {
  const opened = Promise.withResolvers<{ view: KeptView; signal: AbortSignal }>();
  const done = Promise.withResolvers<void>();
  const { repository: access } = request;
  const work = withKept(context, (kept) =>
    withRepository(context, access, { lock: 'shared' }, (_, signal) =>
      // Under the lock nothing is removed, so what the index says from now on is there.
      kept.useOnce(context, access, { maxAgeMs: 0 }, async (view) => {
        opened.resolve({ view, signal });
        await done.promise;
      }),
    ),
  );
  work.catch(opened.reject);
  try {
    const { view, signal } = await opened.promise;
    yield* streamItem(view, request, signal);
  } finally {
    done.resolve();
    await work;
  }
}

async function* streamItem(
  { repository, index, loader, readData }: KeptView,
  { snapshotId, path, format }: SnapshotStreamRequest,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const { tree } = await findSnapshot(repository, snapshotId, signal);
  const item = await findItem(loader, fromHex(tree), path ?? '');
  const contentOf = (ids: readonly Uint8Array[], itemPath: string) =>
    namedErrors(readContent(readData, ids, signal), itemPath);
  const chosen = format === 'auto' ? (item.node?.type === 'file' ? 'raw' : 'tar') : format;
  if (chosen === 'raw') {
    yield* contentOf(contentIds(item), item.path);
    return;
  }
  const write = chosen === 'tar' ? writeSnapshotTar : writeSnapshotZip;
  yield* write({ items: itemsBelow(loader, item), contentOf, index, signal });
}

function contentIds({ node, path }: SnapshotItem): readonly Uint8Array[] {
  if (node?.type === 'file' && node.content) return node.content;
  const message = `${path || '/'} is no file; only files can be streamed as they are`;
  throw new AppError('INVALID_INPUT', {}, { fields: [{ path: 'format', code: 'not_a_file', message }] });
}

async function* namedErrors(content: AsyncIterable<Uint8Array>, path: string): AsyncGenerator<Uint8Array> {
  try {
    yield* content;
  } catch (error) {
    throw atPath(error, path);
  }
}
