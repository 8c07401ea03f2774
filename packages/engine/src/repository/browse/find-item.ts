import { AppError } from '@backupx/contracts/errors';
import { displayPath, parseDisplayPath } from '../../ports/display-path.ts';
import type { TreeNode } from '../format/tree-node.ts';
import type { TreeLoader } from './tree-loader.ts';

/** One item of a snapshot. */
export interface SnapshotItem {
  /** Display path, absolute, without slash at its end; `''`: the top of the snapshot. */
  readonly path: string;
  /** Null: the top of the snapshot. */
  readonly node: TreeNode | null;
  /** Tree of a folder; null for everything else. */
  readonly treeId: Uint8Array | null;
}

const SLASH = 0x2f;

/** Looks an item up by its display path; only the trees on the way are read. Throws PATH_NOT_FOUND. */
export async function findItem(loader: TreeLoader, root: Uint8Array, path: string): Promise<SnapshotItem> {
  let item: SnapshotItem = { path: '', node: null, treeId: root };
  for (const name of segmentsOf(path)) {
    if (!item.treeId) throw new AppError('PATH_NOT_FOUND', { path });
    const found = await findIn(loader, { id: item.treeId, path: item.path }, name);
    if (!found) throw new AppError('PATH_NOT_FOUND', { path });
    item = found;
  }
  return item;
}

async function findIn(
  loader: TreeLoader,
  { id, path }: { readonly id: Uint8Array; readonly path: string },
  name: Buffer,
): Promise<SnapshotItem | null> {
  for await (const tree of loader.parts(id, path)) {
    const number = tree.find(name);
    if (number >= 0) {
      const treeId = tree.isFolder(number) ? tree.subtreeOf(number) : null;
      return { path: `${path}/${displayPath(name)}`, node: tree.nodeAt(number), treeId };
    }
    // Names ascend: it is in none of the parts that follow.
    if (tree.count > 0 && tree.nameOf(tree.count - 1).compare(name) > 0) return null;
  }
  return null;
}

/** Names on the way, as bytes; slashes at both ends and doubled ones say nothing. */
function segmentsOf(path: string): Buffer[] {
  const bytes = Buffer.from(parseDisplayPath(path));
  const segments: Buffer[] = [];
  for (let start = 0; start <= bytes.byteLength; ) {
    const slash = bytes.indexOf(SLASH, start);
    const end = slash < 0 ? bytes.byteLength : slash;
    if (end > start) segments.push(bytes.subarray(start, end));
    start = end + 1;
  }
  return segments;
}
