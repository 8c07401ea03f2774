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

/** The items of one of the trees, one after the other; of a huge one a part is in memory. */
class TreeCursor {
  /** The item at hand; null: after the last, or there is no such folder. */
  side: Side | null = null;
  readonly #parts: AsyncGenerator<TreeIndex, void, undefined> | null;

  constructor(parts: AsyncGenerator<TreeIndex, void, undefined> | null) {
    this.#parts = parts;
  }

  get isThere(): boolean {
    return this.#parts !== null;
  }

  /** Goes to the next item. False: `readOn` has to find it. */
  step(): boolean {
    if (!this.side) return true;
    const { tree, number } = this.side;
    if (number + 1 >= tree.count) return false;
    this.side = { tree, number: number + 1 };
    return true;
  }

  /** Goes to the first item of the next part. Throws REPOSITORY_DAMAGED. */
  async readOn(): Promise<void> {
    do {
      const tree = (await this.#parts?.next())?.value;
      this.side = tree ? { tree, number: 0 } : null;
    } while (this.side?.tree.count === 0);
  }

  async close(): Promise<void> {
    await this.#parts?.return();
  }
}

/** Compares the items of one folder and answers the sub-folders to compare; the trees are given up on return. */
async function compareFolder(trees: Trees, pair: TreePair, listener: DiffListener): Promise<TreePair[]> {
  const { path } = pair;
  const cursorOf = (id: Uint8Array | null) => new TreeCursor(id && trees.parts(id, path));
  const [old, young] = [cursorOf(pair.before), cursorOf(pair.after)];
  const folders: TreePair[] = [];
  try {
    const areRead = await Promise.all([
      readFirst(old, { path, side: 'before', listener }),
      readFirst(young, { path, side: 'after', listener }),
    ]);
    // With one side unknown nothing can be said about the other.
    if (areRead.every(Boolean)) await compareItems({ path, old, young }, listener, folders);
  } catch (error) {
    const sides = [...(old.isThere ? (['before'] as const) : []), ...(young.isThere ? (['after'] as const) : [])];
    listener.onUnread({ path, sides, message: damageOf(error).message });
  } finally {
    await Promise.all([old.close(), young.close()]);
  }
  return folders;
}

/** False where it is damaged. */
async function readFirst(
  cursor: TreeCursor,
  { path, side, listener }: { readonly path: string; readonly side: SideName; readonly listener: DiffListener },
): Promise<boolean> {
  try {
    await cursor.readOn();
    return true;
  } catch (error) {
    listener.onUnread({ path, sides: [side], message: damageOf(error).message });
    return false;
  }
}

/** The error again unless it is damage. */
function damageOf(error: unknown): AppError {
  if (error instanceof AppError && error.code === 'REPOSITORY_DAMAGED') return error;
  throw error;
}

interface OpenPair {
  readonly path: string;
  readonly old: TreeCursor;
  readonly young: TreeCursor;
}

/** Adds the sub-folders to compare to `folders`. Throws REPOSITORY_DAMAGED at an item that is none, and as `readOn`. */
async function compareItems(
  { path, old, young }: OpenPair,
  listener: DiffListener,
  folders: TreePair[],
): Promise<void> {
  while (old.side || young.side) {
    // Items of the same name beside each other.
    const order = compareNames(old.side, young.side);
    const item = { before: order <= 0 ? old.side : null, after: order >= 0 ? young.side : null };
    const child = compareItem(item, path, listener);
    if (child) folders.push(child);
    // Only for a part that is still to be read it waits.
    if (item.before && !old.step()) await old.readOn();
    if (item.after && !young.step()) await young.readOn();
  }
}

interface ItemPair {
  readonly before: Side | null;
  readonly after: Side | null;
}

/** The sub-folder to compare, if it is one. */
function compareItem({ before, after }: ItemPair, path: string, listener: DiffListener): TreePair | null {
  try {
    const one = before ?? after;
    if (!one || (before && after && jsonOf(before).equals(jsonOf(after)))) return null;
    const itemPath = childPath(path, one.tree.nameOf(one.number));
    const change = changeOf(nodeOf(before), nodeOf(after));
    if (change) listener.onChange({ path: itemPath, ...change });
    const subtrees = { before: subtreeOf(before), after: subtreeOf(after) };
    return subtrees.before || subtrees.after ? { path: itemPath, ...subtrees } : null;
  } catch (error) {
    throw atPath(error, path);
  }
}

const jsonOf = ({ tree, number }: Side): Buffer => tree.jsonOf(number);

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
