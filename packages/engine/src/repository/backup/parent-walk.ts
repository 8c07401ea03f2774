import type { ItemIdentity } from '../../ports/source.ts';
import type { TreeNode } from '../format/tree-node.ts';

interface Folder {
  /** Byte path as latin1 text, without trailing slash: `''` is the root. */
  readonly path: string;
  /** By raw name as latin1 text; null: not in the parent snapshot, or its tree cannot be read. */
  readonly nodes: ReadonlyMap<string, TreeNode> | null;
}

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
  readonly #fetchTree: (id: Uint8Array) => TreeNode[] | null;
  readonly #open: Folder[];

  /** `fetchTree` answers null for a tree that cannot be read. */
  constructor(rootTree: Uint8Array | null, fetchTree: (id: Uint8Array) => TreeNode[] | null) {
    this.#fetchTree = fetchTree;
    this.#open = [{ path: '', nodes: rootTree && byName(fetchTree(rootTree)) }];
  }

  /** The node that the parent snapshot has at this path. */
  find(path: string): TreeNode | null {
    const slash = path.lastIndexOf('/');
    return this.#folder(path.slice(0, slash))?.get(path.slice(slash + 1)) ?? null;
  }

  #folder(path: string): ReadonlyMap<string, TreeNode> | null {
    let top = this.#open.at(-1);
    while (top && !isWithin(path, top.path)) {
      this.#open.pop();
      top = this.#open.at(-1);
    }
    if (!top || top.path === path) return top?.nodes ?? null;
    const slash = path.lastIndexOf('/');
    const node = this.#folder(path.slice(0, slash))?.get(path.slice(slash + 1));
    const nodes = node?.subtree ? byName(this.#fetchTree(node.subtree)) : null;
    this.#open.push({ path, nodes });
    return nodes;
  }
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
