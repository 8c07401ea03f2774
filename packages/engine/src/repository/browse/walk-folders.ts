import { displayPath } from '../../ports/display-path.ts';
import type { TreeIndex } from './tree-index.ts';
import type { TreeLoader, Trees } from './tree-loader.ts';

/** Sub-folders read ahead of the walk. */
const FOLDERS_AHEAD = 3;

export interface WalkedFolder {
  /** Display path without slash at its end; `''`: the top of the snapshot. */
  readonly path: string;
  readonly tree: TreeIndex;
}

/** A place in a snapshot to start at. */
export interface FolderStart {
  readonly path: string;
  readonly treeId: Uint8Array;
}

/** Path of an item in a folder. */
export function childPath(folder: string, name: Uint8Array): string {
  return `${folder}/${displayPath(name)}`;
}

/** A folder on the way to the one at hand. */
interface OpenFolder extends WalkedFolder {
  /** Number of the sub-folder that comes next. */
  next: number;
}

/**
 * Visits a folder and everything below it, a folder before what is in it; only the trees on the way from the start to
 * the current folder are in memory. Ends early when `visit` answers `stop`. Throws SNAPSHOT_ENDLESS.
 */
export async function walkFolders(
  loader: TreeLoader,
  start: FolderStart,
  visit: (folder: WalkedFolder) => 'stop' | undefined,
): Promise<'stop' | undefined> {
  const trees = loader.walk();
  const open: OpenFolder[] = [];
  let coming: FolderStart | null = start;
  while (coming) {
    const tree = await trees.load(coming.treeId, coming.path);
    if (visit({ path: coming.path, tree }) === 'stop') return 'stop';
    open.push({ path: coming.path, tree, next: nextFolder(tree, 0) });
    coming = nextOf(trees, open);
  }
  return undefined;
}

/** The next sub-folder of the innermost folder that has one; null: there is none left. */
function nextOf(trees: Trees, open: OpenFolder[]): FolderStart | null {
  for (let folder = open.at(-1); folder; folder = open.at(-1)) {
    const { path, tree, next } = folder;
    if (next < tree.count) {
      prefetchFolders(trees, tree, next);
      folder.next = nextFolder(tree, next + 1);
      return { path: childPath(path, tree.nameOf(next)), treeId: tree.subtreeOf(next) };
    }
    open.pop();
  }
  return null;
}

/** Number of the first folder from `number` on; `tree.count` when there is none. */
export function nextFolder(tree: TreeIndex, number: number): number {
  let next = number;
  while (next < tree.count && !tree.isFolder(next)) next += 1;
  return next;
}

/** Begins to read the trees of this folder and of a few that follow it. */
export function prefetchFolders(trees: Trees, tree: TreeIndex, number: number): void {
  let next = number;
  for (let ahead = 0; ahead <= FOLDERS_AHEAD && next < tree.count; ahead += 1) {
    trees.prefetch(tree.subtreeOf(next));
    next = nextFolder(tree, next + 1);
  }
}
