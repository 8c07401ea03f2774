import type { ArtifactEntry } from '@backupx/contracts/jobs';
import { findItem } from './find-item.ts';
import { nodeEntry } from './node-entry.ts';
import type { TreeIndex } from './tree-index.ts';
import type { TreeLoader } from './tree-loader.ts';
import { childPath } from './walk-folders.ts';

export interface PageRange {
  readonly offset: number;
  readonly limit: number;
}

export interface EntryPage {
  readonly entries: ArtifactEntry[];
  readonly total: number;
}

/**
 * A page of a folder: folders first, then the rest, each by name (order of bytes). A path that is no folder answers
 * itself. Reads the trees on the way and no others; parses the nodes of the page and no others. Throws PATH_NOT_FOUND.
 */
export async function listFolder(
  loader: TreeLoader,
  root: Uint8Array,
  query: PageRange & { readonly path: string },
): Promise<EntryPage> {
  const item = await findItem(loader, root, query.path);
  if (!item.treeId) {
    const entries = item.node && query.offset === 0 ? [nodeEntry(item.node, item.path)] : [];
    return { entries, total: 1 };
  }
  const tree = await loader.load(item.treeId, item.path);
  const entries = pageOf(tree, query).map((number) =>
    nodeEntry(tree.nodeAt(number), childPath(item.path, tree.nameOf(number))),
  );
  return { entries, total: tree.count };
}

/** Numbers of the nodes on a page. */
function pageOf(tree: TreeIndex, { offset, limit }: PageRange): number[] {
  const page: number[] = [];
  let position = 0;
  for (const wantsFolders of [true, false]) {
    for (let number = 0; number < tree.count && page.length < limit; number += 1) {
      if (tree.isFolder(number) !== wantsFolders) continue;
      if (position >= offset) page.push(number);
      position += 1;
    }
  }
  return page;
}
