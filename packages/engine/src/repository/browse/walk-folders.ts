import { displayPath } from '../../ports/display-path.ts';
import { ID_BYTES } from '../format/blob-id.ts';
import type { TreeIndex } from './tree-index.ts';
import type { TreeLoader, Trees } from './tree-loader.ts';

/** Sub-folders read ahead of the walk. */
const FOLDERS_AHEAD = 3;

/** A folder, or a part of a huge one. */
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
interface OpenFolder {
  readonly path: string;
  readonly folders: SubFolders;
  /** Number of the sub-folder that comes next. */
  next: number;
}

/** Names and trees of the folders in a folder, as few bytes each: there may be a million. */
class SubFolders {
  readonly #names: string[] = [];
  #ids = Buffer.alloc(16 * ID_BYTES);

  get count(): number {
    return this.#names.length;
  }

  addFrom(tree: TreeIndex): void {
    for (let number = nextFolder(tree, 0); number < tree.count; number = nextFolder(tree, number + 1)) {
      const end = (this.count + 1) * ID_BYTES;
      if (end > this.#ids.byteLength) this.#ids = Buffer.concat([this.#ids, Buffer.alloc(this.#ids.byteLength)]);
      this.#ids.set(tree.subtreeOf(number), end - ID_BYTES);
      this.#names.push(tree.nameOf(number).toString('latin1'));
    }
  }

  nameOf(number: number): Buffer {
    return Buffer.from(this.#names[number] ?? '', 'latin1');
  }

  treeOf(number: number): Uint8Array {
    return this.#ids.subarray(number * ID_BYTES, (number + 1) * ID_BYTES);
  }
}

/**
 * Visits a folder and everything below it, a folder before what is in it, its items in order; only the current folder, or a
 * part of it when it is huge, is in memory, and the names of the folders beside those on the way to it. Ends early when
 * `visit` answers `stop`. Throws SNAPSHOT_ENDLESS.
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
    const { path, treeId }: FolderStart = coming;
    const folders = new SubFolders();
    for await (const tree of trees.parts(treeId, path)) {
      if (visit({ path, tree }) === 'stop') return 'stop';
      folders.addFrom(tree);
    }
    open.push({ path, folders, next: 0 });
    coming = nextOf(trees, open);
  }
  return undefined;
}

/** The next sub-folder of the innermost folder that has one; null: there is none left. */
function nextOf(trees: Trees, open: OpenFolder[]): FolderStart | null {
  for (let folder = open.at(-1); folder; folder = open.at(-1)) {
    const { path, folders, next } = folder;
    if (next < folders.count) {
      const ahead = Math.min(folders.count, next + FOLDERS_AHEAD + 1);
      for (let number = next; number < ahead; number += 1) trees.prefetch(folders.treeOf(number));
      folder.next += 1;
      return { path: childPath(path, folders.nameOf(next)), treeId: folders.treeOf(next) };
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
