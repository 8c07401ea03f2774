import type { ItemIdentity } from '../../ports/source.ts';
import type { TreeNode } from '../format/tree-node.ts';
import type { TreePart } from '../tree-part.ts';
import { ParentTree } from './parent-tree.ts';

interface Folder {
  /** Byte path as latin1 text, without trailing slash: `''` is the root. */
  readonly path: string;
  /** Null: not in the parent snapshot, or its tree cannot be read. */
  readonly tree: ParentTree | null;
  readonly treeId: Uint8Array | null;
}

/** A folder of the parent snapshot. */
export interface ParentFolder {
  readonly tree: ParentTree;
  readonly treeId: Uint8Array;
}

/** Trees of so many folders are asked for at once: the walk will come to them soon. */
const TREES_AT_ONCE = 64;

/** Answers a tree in parts, see `ParentTree`; null when it cannot be read. The walk will soon come to those that `coming` names, the first now. */
export type FetchTree = (id: Uint8Array, coming: () => readonly Uint8Array[]) => readonly TreePart[] | null;

/**
 * The parent snapshot, walked along with the source: only the folders on the way to the item at hand are kept.
 * Paths are byte paths as latin1 text (`/srv/www/a`).
 */
export class ParentWalk {
  readonly #fetchTree: FetchTree;
  readonly #open: Folder[];

  constructor(rootTree: Uint8Array | null, fetchTree: FetchTree) {
    this.#fetchTree = fetchTree;
    this.#open = [this.#newFolder('', rootTree, () => (rootTree ? [rootTree] : []))];
  }

  /** The node that the parent snapshot has at this path. */
  find(path: string): TreeNode | null {
    const slash = path.lastIndexOf('/');
    return this.#folder(path.slice(0, slash)).tree?.find(path.slice(slash + 1)) ?? null;
  }

  /** The tree of the folder at this path (`''`: the root). */
  treeOf(path: string): ParentTree | null {
    return this.#folder(path).tree;
  }

  /** The folder at this path. */
  folder(path: string): ParentFolder | null {
    const { tree, treeId } = this.#folder(path);
    return tree && treeId && { tree, treeId };
  }

  #folder(path: string): Folder {
    let top = this.#open.at(-1);
    while (top && !isWithin(path, top.path)) {
      this.#open.pop();
      top = this.#open.at(-1);
    }
    if (!top) throw new Error('the root was left');
    if (top.path === path) return top;
    const slash = path.lastIndexOf('/');
    const { tree } = this.#folder(path.slice(0, slash));
    const node = tree?.find(path.slice(slash + 1));
    const coming = () => (tree && node ? tree.comingTrees(node, TREES_AT_ONCE) : []);
    const folder = this.#newFolder(path, node?.subtree ?? null, coming);
    this.#open.push(folder);
    return folder;
  }

  #newFolder(path: string, treeId: Uint8Array | null, coming: () => readonly Uint8Array[]): Folder {
    const parts = treeId && this.#fetchTree(treeId, coming);
    return { path, tree: parts && new ParentTree(parts), treeId };
  }
}

/** What the source says of a file before opening it. */
interface ListedFile {
  readonly modifiedAtNs: bigint;
  readonly identity: ItemIdentity;
}

/** True when the content of the file is certainly that of the parent's node: same type, size, times and inode. */
export function isSameFile(node: TreeNode, { modifiedAtNs, identity }: ListedFile): boolean {
  return (
    node.type === 'file' &&
    node.content !== null &&
    node.mtimeNs === modifiedAtNs &&
    node.ctimeNs === identity.changedAtNs &&
    BigInt(node.size) === identity.sizeBytes &&
    node.inode === identity.inode
  );
}

function isWithin(path: string, folder: string): boolean {
  return folder === '' || path === folder || (path.startsWith(folder) && path.charCodeAt(folder.length) === 0x2f);
}
