import type { TreeNode } from '../format/tree-node.ts';
import type { SnapshotItem } from './find-item.ts';
import type { TreeIndex } from './tree-index.ts';
import type { TreeLoader, Trees } from './tree-loader.ts';
import { childPath, nextFolder, prefetchFolders } from './walk-folders.ts';

/** An item with its display path. */
export interface ListedItem {
  readonly path: string;
  readonly node: TreeNode;
}

/** A folder on the way to the current item, and which of its items comes next. */
interface OpenFolder {
  readonly path: string;
  readonly tree: TreeIndex;
  next: number;
}

/** An item and everything below it, a folder before what is in it, else by name. Throws SNAPSHOT_ENDLESS. */
export async function* itemsBelow(loader: TreeLoader, item: SnapshotItem): AsyncGenerator<ListedItem> {
  const trees = loader.walk();
  if (item.node) yield { path: item.path, node: item.node };
  const open: OpenFolder[] = [];
  if (item.treeId) open.push(await openFolder(trees, item.treeId, item.path));
  for (let folder = open.at(-1); folder; folder = open.at(-1)) {
    const { tree, path, next } = folder;
    if (next >= tree.count) {
      open.pop();
      continue;
    }
    folder.next += 1;
    const node = tree.nodeAt(next);
    const itemPath = childPath(path, node.name);
    yield { path: itemPath, node };
    if (!tree.isFolder(next)) continue;
    prefetchFolders(trees, tree, next);
    open.push(await openFolder(trees, tree.subtreeOf(next), itemPath));
  }
}

async function openFolder(trees: Trees, treeId: Uint8Array, path: string): Promise<OpenFolder> {
  const tree = await trees.load(treeId, path);
  const first = nextFolder(tree, 0);
  if (first < tree.count) prefetchFolders(trees, tree, first);
  return { path, tree, next: 0 };
}
