import type { ItemIdentity } from '../../ports/source.ts';
import type { TreeNode } from '../format/tree-node.ts';

interface Folder {
  /** Byte path as latin1 text, without trailing slash: `''` is the root. */
  readonly path: string;
  /** By raw name as latin1 text; null: not in the parent snapshot, or its tree cannot be read. */
  readonly nodes: ReadonlyMap<string, TreeNode> | null;
  /** Its folders in the order of their names; those before `next` were passed. */
  readonly folders: readonly TreeNode[];
  next: number;
}

/** Trees of so many folders are asked for at once: the walk will come to them soon. */
const TREES_AT_ONCE = 64;

/** Answers the tree of the first id, null when it cannot be read; the others will be asked for next. */
export type FetchTree = (ids: readonly Uint8Array[]) => TreeNode[] | null;

/** What the source says of a file before opening it. */
export interface ListedFile {
  readonly modifiedAtNs: bigint;
  readonly identity: ItemIdentity;
}

/**
 * The parent snapshot, walked along with the source: only the folders on the way to the item at hand are kept.
 * Paths are byte paths as latin1 text (`/srv/www/a`).
 */
export class ParentWalk {
  readonly #fetchTree: FetchTree;
  readonly #open: Folder[];

  constructor(rootTree: Uint8Array | null, fetchTree: FetchTree) {
    this.#fetchTree = fetchTree;
    this.#open = [newFolder('', rootTree && fetchTree([rootTree]))];
  }

  /** The node that the parent snapshot has at this path. */
  find(path: string): TreeNode | null {
    const slash = path.lastIndexOf('/');
    return this.#folder(path.slice(0, slash)).nodes?.get(path.slice(slash + 1)) ?? null;
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
    const parent = this.#folder(path.slice(0, slash));
    const node = parent.nodes?.get(path.slice(slash + 1));
    const folder = newFolder(path, node?.subtree ? this.#fetchTree(comingTrees(parent, node)) : null);
    this.#open.push(folder);
    return folder;
  }
}

/** The tree of this folder and those of the folders after it. */
function comingTrees(parent: Folder, node: TreeNode): Uint8Array[] {
  const at = parent.folders.indexOf(node, parent.next);
  if (at < 0) return node.subtree ? [node.subtree] : [];
  parent.next = at + 1;
  return parent.folders.slice(at, at + TREES_AT_ONCE).flatMap(({ subtree }) => (subtree ? [subtree] : []));
}

function newFolder(path: string, nodes: TreeNode[] | null): Folder {
  const folders = nodes?.filter(({ subtree }) => subtree !== null) ?? [];
  return { path, nodes: byName(nodes), folders, next: 0 };
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

function byName(nodes: TreeNode[] | null): Map<string, TreeNode> | null {
  return nodes && new Map(nodes.map((node) => [node.name.toString('latin1'), node]));
}
