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
export function findTreeFaults(nodes: readonly TreeNode[]): string[] {
  const faults: string[] = [];
  let last: Buffer | null = null;
  for (const node of nodes) {
    const fault = faultOf(node, last);
    if (fault !== null && faults.length < MAX_FAULTS) faults.push(`"${displayPath(node.name)}" ${fault}`);
    last = node.name;
  }
  return faults;
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
