/**
 * What changed between two trees. Both are in the order of names, so one pass beside each other finds it; nodes whose
 * JSON is equal are not parsed, sub-folders with the same tree are not entered.
 */
import { AppError } from '@backupx/contracts/errors';
import type { DiffSnapshotsResult } from '@backupx/contracts/jobs';
import type { TreeNode } from '../format/tree-node.ts';
import type { TreeIndex } from './tree-index.ts';
import { atPath, type TreeLoader, type Trees } from './tree-loader.ts';
import { childPath } from './walk-folders.ts';

export type TreeChange = DiffSnapshotsResult['changes'][number];
type SideName = 'before' | 'after';

/** Pairs whose trees are read before their turn comes. */
const FOLDERS_AHEAD = 2;

/** The trees of one folder; null on the side where there is no such folder. */
export interface TreePair {
  readonly path: string;
  readonly before: Uint8Array | null;
  readonly after: Uint8Array | null;
}

export interface DiffListener {
  onChange(change: TreeChange): void;
  /** Hears of a folder whose tree is damaged on these sides; neither it nor what is below it is compared further. */
  onUnread(folder: { readonly path: string; readonly sides: readonly SideName[]; readonly message: string }): void;
  /** Hears of each folder before it is compared; what it throws ends the comparison. */
  onFolder?(path: string): void;
}

/**
 * Reports changes folder by folder, a folder before what is in it. `path` is where both trees stand; `''`: the top.
 * Goes on where a tree is damaged. Throws SNAPSHOT_ENDLESS.
 */
export async function diffTrees(loader: TreeLoader, pair: TreePair, listener: DiffListener): Promise<void> {
  const trees = loader.walk();
  /** What is still to be compared, the next last. */
  const waiting = [pair];
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    if (next.before && next.after && isSame(next.before, next.after)) continue;
    listener.onFolder?.(next.path);
    const children = await compareFolder(trees, next, listener);
    for (const child of children.reverse()) waiting.push(child);
    for (const coming of waiting.slice(-FOLDERS_AHEAD).reverse()) prefetchPair(trees, coming);
  }
}

function prefetchPair(trees: Trees, { before, after }: TreePair): void {
  if (before && after && isSame(before, after)) return;
  if (after) trees.prefetch(after);
  if (before) trees.prefetch(before);
}

/** One item as it stands in one of the trees. */
interface Side {
  readonly tree: TreeIndex;
  readonly number: number;
}

/** Compares the items of one folder and answers the sub-folders to compare; the trees are given up on return. */
async function compareFolder(trees: Trees, pair: TreePair, listener: DiffListener): Promise<TreePair[]> {
  const [old, young] = await Promise.all([
    loadSide(trees, pair, { side: 'before', listener }),
    loadSide(trees, pair, { side: 'after', listener }),
  ]);
  // With one side unknown nothing can be said about the other.
  if (old === 'damaged' || young === 'damaged') return [];
  const folders: TreePair[] = [];
  try {
    compareItems({ path: pair.path, old, young }, listener, folders);
  } catch (error) {
    const sides = [...(old ? (['before'] as const) : []), ...(young ? (['after'] as const) : [])];
    listener.onUnread({ path: pair.path, sides, message: damageAt(error, pair.path).message });
  }
  return folders;
}

/** Null where there is no such folder. */
async function loadSide(
  trees: Trees,
  pair: TreePair,
  { side, listener }: { readonly side: SideName; readonly listener: DiffListener },
): Promise<TreeIndex | null | 'damaged'> {
  const id = pair[side];
  if (!id) return null;
  try {
    return await trees.load(id, pair.path);
  } catch (error) {
    listener.onUnread({ path: pair.path, sides: [side], message: damageOf(error).message });
    return 'damaged';
  }
}

/** The error again unless it is damage. */
function damageOf(error: unknown): AppError {
  if (error instanceof AppError && error.code === 'REPOSITORY_DAMAGED') return error;
  throw error;
}

function damageAt(error: unknown, path: string): AppError {
  return damageOf(atPath(error, path));
}

interface OpenPair {
  readonly path: string;
  readonly old: TreeIndex | null;
  readonly young: TreeIndex | null;
}

/** Adds the sub-folders to compare to `folders`. Throws REPOSITORY_DAMAGED at an item that is none. */
function compareItems({ path, old, young }: OpenPair, listener: DiffListener, folders: TreePair[]): void {
  for (const [a, b] of alignedItems(old, young)) {
    const name = a ? a.tree.nameOf(a.number) : b?.tree.nameOf(b.number);
    if (!name || (a && b && a.tree.jsonOf(a.number).equals(b.tree.jsonOf(b.number)))) continue;
    const itemPath = childPath(path, name);
    const change = changeOf(nodeOf(a), nodeOf(b));
    if (change) listener.onChange({ path: itemPath, ...change });
    const subtrees = { before: subtreeOf(a), after: subtreeOf(b) };
    if (subtrees.before || subtrees.after) folders.push({ path: itemPath, ...subtrees });
  }
}

/** Items of the same name beside each other. */
function* alignedItems(old: TreeIndex | null, young: TreeIndex | null): Generator<[Side | null, Side | null]> {
  let a = sideAt(old, 0);
  let b = sideAt(young, 0);
  while (a || b) {
    const order = compareNames(a, b);
    yield [order <= 0 ? a : null, order >= 0 ? b : null];
    if (a && order <= 0) a = sideAt(old, a.number + 1);
    if (b && order >= 0) b = sideAt(young, b.number + 1);
  }
}

function sideAt(tree: TreeIndex | null, number: number): Side | null {
  return tree && number < tree.count ? { tree, number } : null;
}

/** Null, the end of a tree, comes last. */
function compareNames(a: Side | null, b: Side | null): number {
  if (a && b) return a.tree.nameOf(a.number).compare(b.tree.nameOf(b.number));
  return a ? -1 : 1;
}

function nodeOf(side: Side | null): TreeNode | null {
  return side ? side.tree.nodeAt(side.number) : null;
}

function subtreeOf(side: Side | null): Uint8Array | null {
  return side?.tree.isFolder(side.number) ? side.tree.subtreeOf(side.number) : null;
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

function changeOf(before: TreeNode | null, after: TreeNode | null): Omit<TreeChange, 'path'> | null {
  const change = kindOfChange(before, after);
  const sizeOf = (node: TreeNode | null) => (node ? Number(node.size) : null);
  return change && { change, sizeBefore: sizeOf(before), sizeAfter: sizeOf(after) };
}

function kindOfChange(before: TreeNode | null, after: TreeNode | null): TreeChange['change'] | null {
  if (!before) return 'added';
  if (!after) return 'removed';
  if (before.type !== after.type) return 'type';
  if (!hasSameContent(before, after)) return 'content';
  return hasSameMetadata(before, after) ? null : 'metadata';
}

function hasSameContent(a: TreeNode, b: TreeNode): boolean {
  const ids = a.content ?? [];
  const others = b.content ?? [];
  if (ids.length !== others.length || String(a.device) !== String(b.device)) return false;
  if (!equalBytes(a.linkTarget, b.linkTarget)) return false;
  return ids.every((id, index) => equalBytes(id, others[index]));
}

/** Change time, access time, inode and the number of links do not count: nothing of them is restored. */
function hasSameMetadata(a: TreeNode, b: TreeNode): boolean {
  if (a.mode !== b.mode || a.mtimeNs !== b.mtimeNs || a.uid !== b.uid || a.gid !== b.gid) return false;
  if (a.user !== b.user || a.group !== b.group) return false;
  const attributes = a.xattrs ?? new Map<string, Uint8Array>();
  const others = b.xattrs ?? new Map<string, Uint8Array>();
  return (
    attributes.size === others.size && [...attributes].every(([name, value]) => equalBytes(value, others.get(name)))
  );
}

function equalBytes(a: Uint8Array | null | undefined, b: Uint8Array | null | undefined): boolean {
  return a && b ? Buffer.compare(a, b) === 0 : !a && !b;
}
