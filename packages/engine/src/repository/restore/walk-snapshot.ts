import { fromHex } from '../format/blob-id.ts';
import type { Snapshot } from '../format/snapshot-file.ts';
import type { TreeNode } from '../format/tree-node.ts';
import { MAX_PATH_LENGTH, shownPath } from '../walk-budget.ts';
import { PathSelection, type Relation } from './path-selection.ts';
import { isLoss, type TreeSource } from './tree-source.ts';

/** Part of a folder: the folder itself, and items in it that are no folders. */
export interface WalkedPart {
  /** Raw bytes, one character per byte; `''`: the top. */
  readonly path: string;
  /** The folder, in its first part; null in further ones, and when it is only on the way to what is wanted. */
  readonly folder: TreeNode | null;
  readonly items: readonly TreeNode[];
}

export interface WalkOptions {
  readonly trees: TreeSource;
  readonly snapshot: Pick<Snapshot, 'tree' | 'paths'>;
  /** Null: everything. */
  readonly selection: PathSelection | null;
  /** A folder whose list of items is lost; what is in it is left out. */
  onLostTree(path: string, error: unknown): void;
}

interface OpenFolder {
  readonly path: string;
  readonly node: TreeNode | null;
  readonly treeId: Uint8Array;
  readonly isWanted: boolean;
  readonly isInside: boolean;
}

/**
 * Goes through what is wanted of a snapshot: each folder before what is in it, first its files, then its folders.
 * Folders above the paths that the snapshot was made of are only passed through: they were there before.
 */
export async function* walkSnapshot(options: WalkOptions): AsyncGenerator<WalkedPart> {
  const origins = new PathSelection(options.snapshot.paths);
  const isWanted = options.selection === null || options.selection.relationOf('') === 'inside';
  const isInside = origins.relationOf('') === 'inside';
  // Waiting folders, the next one last.
  const waiting: OpenFolder[] = [{ path: '', node: null, treeId: fromHex(options.snapshot.tree), isWanted, isInside }];
  for (let folder = waiting.pop(); folder; folder = waiting.pop()) {
    const below: OpenFolder[] = [];
    yield* readFolder(folder, { ...options, origins, below });
    for (const child of below.reverse()) waiting.push(child);
    options.trees.expect(nextIds(waiting));
  }
}

function* nextIds(waiting: readonly OpenFolder[]): Generator<Uint8Array> {
  for (let at = waiting.length - 1; at >= 0; at -= 1) {
    const next = waiting[at];
    if (next) yield next.treeId;
  }
}

interface Reading extends WalkOptions {
  readonly origins: PathSelection;
  /** Gets the folders in this one. */
  readonly below: OpenFolder[];
}

async function* readFolder(folder: OpenFolder, reading: Reading): AsyncGenerator<WalkedPart> {
  let node = folder.node;
  try {
    for await (const nodes of reading.trees.nodes(folder.treeId, folder.path)) {
      yield { path: folder.path, folder: node, items: wantedItems(nodes, folder, reading) };
      node = null;
    }
  } catch (error) {
    if (!isLoss(error)) throw error;
    reading.onLostTree(folder.path, error);
  }
  // Nothing was in it, or nothing could be read.
  if (node) yield { path: folder.path, folder: node, items: [] };
}

/** Items that are no folders; folders are put aside. */
function wantedItems(nodes: readonly TreeNode[], folder: OpenFolder, reading: Reading): TreeNode[] {
  const items: TreeNode[] = [];
  for (const node of nodes) {
    const needsLook = node.type === 'dir' || !folder.isWanted;
    const path = needsLook ? `${folder.path}/${node.name.toString('latin1')}` : '';
    const relation: Relation = folder.isWanted ? 'inside' : (reading.selection?.relationOf(path) ?? 'inside');
    if (relation === 'apart') continue;
    if (node.type === 'dir') addFolder({ node, path, isWanted: relation === 'inside' }, folder, reading);
    else if (relation === 'inside') items.push(node);
  }
  return items;
}

function addFolder(
  { node, path, isWanted }: { node: TreeNode; path: string; isWanted: boolean },
  parent: OpenFolder,
  { origins, below, onLostTree }: Reading,
): void {
  const place = parent.isInside ? 'inside' : origins.relationOf(path);
  if (!node.subtree) {
    onLostTree(path, new Error('the folder has no list of items'));
    return;
  }
  if (path.length > MAX_PATH_LENGTH) {
    onLostTree(shownPath(path), new Error('folders lie in each other deeper than on any system'));
    return;
  }
  below.push({
    path,
    node: place === 'above' ? null : node,
    treeId: node.subtree,
    isWanted,
    isInside: place === 'inside',
  });
}
