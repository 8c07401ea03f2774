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
  /** What comes after the part at hand. */
  readonly parts: AsyncGenerator<TreeIndex, void, undefined>;
  tree: TreeIndex;
  next: number;
}

/** An item and everything below it, a folder before what is in it, else by name. Throws SNAPSHOT_ENDLESS. */
export async function* itemsBelow(loader: TreeLoader, item: SnapshotItem): AsyncGenerator<ListedItem> {
  const trees = loader.walk();
  if (item.node) yield { path: item.path, node: item.node };
  const open: OpenFolder[] = [];
  try {
    await enter(item.treeId, item.path, { trees, open });
    for (let folder = open.at(-1); folder; folder = open.at(-1)) {
      const { tree, path, next } = folder;
      if (next >= tree.count) {
        const more = await nextPart(trees, folder.parts);
        if (more) Object.assign(folder, { tree: more, next: 0 });
        else open.pop();
        continue;
      }
      folder.next += 1;
      const node = tree.nodeAt(next);
      const itemPath = childPath(path, node.name);
      yield { path: itemPath, node };
      if (!tree.isFolder(next)) continue;
      prefetchFolders(trees, tree, next);
      await enter(tree.subtreeOf(next), itemPath, { trees, open });
    }
  } finally {
    for (const { parts } of open) await parts.return();
  }
}

async function enter(
  treeId: Uint8Array | null,
  path: string,
  { trees, open }: { readonly trees: Trees; readonly open: OpenFolder[] },
): Promise<void> {
  if (!treeId) return;
  const parts = trees.parts(treeId, path);
  const tree = await nextPart(trees, parts);
  if (tree) open.push({ path, parts, tree, next: 0 });
}

/** Null: there is none. */
async function nextPart(trees: Trees, parts: OpenFolder['parts']): Promise<TreeIndex | null> {
  const tree = (await parts.next()).value ?? null;
  const first = tree ? nextFolder(tree, 0) : 0;
  if (tree && first < tree.count) prefetchFolders(trees, tree, first);
  return tree;
}
