/** Restores a snapshot through sources that take their content as streams, one after the other: dumps of databases. */
import { parseDisplayPath } from '../../ports/display-path.ts';
import type { RestoreSession } from '../../ports/source.ts';
import type { BlobIndex } from '../blob-index.ts';
import { createBlobReader } from '../blob-reader.ts';
import { readContent } from '../browse/read-content.ts';
import { itemsBelow } from '../browse/snapshot-items.ts';
import { TreeLoader } from '../browse/tree-loader.ts';
import { fromHex } from '../format/blob-id.ts';
import type { Snapshot } from '../format/snapshot-file.ts';
import type { TreeNode } from '../format/tree-node.ts';
import type { Repository } from '../open-repository.ts';
import { entryTypeOf, restoreEntryOf } from './restore-entry.ts';

export interface RestoreStreamsOptions {
  readonly repository: Repository;
  readonly index: BlobIndex;
  readonly snapshot: Pick<Snapshot, 'tree'>;
  readonly session: Pick<RestoreSession, 'write'>;
  /** Display paths, each with everything below it; null: all. */
  readonly paths: readonly string[] | null;
  readonly signal: AbortSignal;
  /** Bytes handed on. */
  readonly onRead?: (bytes: number) => void;
}

/**
 * Hands every item to the session, by name, a folder before what is in it. Throws REPOSITORY_DAMAGED at the first blob
 * that is damaged, STORAGE_*, CANCELLED, and what the session throws; the caller commits or rolls back.
 */
export async function restoreStreams(options: RestoreStreamsOptions): Promise<void> {
  const { repository, index, signal, session, paths } = options;
  const reader = createBlobReader({ repository, index, signal });
  const loader = new TreeLoader(reader);
  const top = { path: '', node: null, treeId: fromHex(options.snapshot.tree) };
  for await (const { path, node } of itemsBelow(loader, top)) {
    const type = entryTypeOf(node);
    if (!type || !isWanted(path, type === 'directory', paths)) continue;
    const entry = restoreEntryOf(node, { type, path: parseDisplayPath(path), sizeBytes: Number(node.size) });
    const content = type === 'file' ? contentOf(node) : null;
    await session.write({ ...entry, content });
  }

  async function* contentOf(node: TreeNode): AsyncGenerator<Uint8Array> {
    const read = (id: Uint8Array) => reader.read(id, 'data');
    for await (const chunk of readContent(read, node.content ?? [], signal)) {
      options.onRead?.(chunk.byteLength);
      yield chunk;
    }
  }
}

/** Also a folder above something wanted. */
function isWanted(path: string, isFolder: boolean, paths: readonly string[] | null): boolean {
  if (paths === null) return true;
  return paths.some((wanted) => {
    const clean = wanted.replace(/\/+$/, '');
    return path === clean || path.startsWith(`${clean}/`) || (isFolder && clean.startsWith(`${path}/`));
  });
}
