import { displayPath } from '../../ports/display-path.ts';
import type { TreeIndex } from './tree-index.ts';
import type { TreeLoader } from './tree-loader.ts';

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

/**
 * Visits a folder and everything below it, a folder before what is in it; only the trees on the way from the start to
 * the current folder are in memory. Ends early when `visit` answers `stop`.
 */
export async function walkFolders(
  loader: TreeLoader,
  start: FolderStart,
  visit: (folder: WalkedFolder) => 'stop' | undefined,
): Promise<'stop' | undefined> {
  const tree = await loader.load(start.treeId, start.path);
  if (visit({ path: start.path, tree }) === 'stop') return 'stop';
  for (let number = nextFolder(tree, 0); number < tree.count; number = nextFolder(tree, number + 1)) {
    prefetchFolders(loader, tree, number);
    const child = { path: childPath(start.path, tree.nameOf(number)), treeId: tree.subtreeOf(number) };
    if ((await walkFolders(loader, child, visit)) === 'stop') return 'stop';
  }
  return undefined;
}

/** Number of the first folder from `number` on; `tree.count` when there is none. */
export function nextFolder(tree: TreeIndex, number: number): number {
  let next = number;
  while (next < tree.count && !tree.isFolder(next)) next += 1;
  return next;
}

/** Begins to read the trees of this folder and of a few that follow it. */
export function prefetchFolders(loader: TreeLoader, tree: TreeIndex, number: number): void {
  let next = number;
  for (let ahead = 0; ahead <= FOLDERS_AHEAD && next < tree.count; ahead += 1) {
    loader.prefetch(tree.subtreeOf(next));
    next = nextFolder(tree, next + 1);
  }
}
