import { displayPath } from '../../ports/display-path.ts';
import type { NodeType } from '../format/go-file-mode.ts';
import type { TreeNode } from '../format/tree-node.ts';

const TYPES: ReadonlySet<NodeType> = new Set(['file', 'dir', 'symlink', 'dev', 'chardev', 'fifo', 'socket']);
const MAX_FAULTS = 10;

/** Whether items of a type can be in a tree. */
export function isKnownType(type: NodeType): boolean {
  return TYPES.has(type);
}

/** What is wrong with the list of a folder: names out of order or twice, files without content, folders without tree. */
export class TreeFaults {
  /** The first ten. */
  readonly list: string[] = [];
  #last: Buffer | null = null;

  /** Items in the order of the list. */
  add(node: TreeNode): void {
    const fault = faultOf(node, this.#last);
    if (fault !== null && this.list.length < MAX_FAULTS) this.list.push(`"${displayPath(node.name)}" ${fault}`);
    this.#last = node.name;
  }
}

function faultOf({ name, type, content, subtree }: TreeNode, last: Buffer | null): string | null {
  const order = last === null ? 1 : Buffer.compare(name, last);
  if (order === 0) return 'is there twice';
  if (order < 0) return 'is out of order';
  if (!isKnownType(type)) return `is of a kind that is not known (${type})`;
  if (type === 'file' && content === null) return 'is a file without a list of its parts';
  if (type === 'dir' && subtree === null) return 'is a folder without a list';
  return null;
}
