/**
 * Finds every blob that a snapshot needs. The set holds, per blob, the number of its first entry in the index; trees in
 * it have been read, so that what many snapshots share is read once.
 */
import { AppError } from '@backupx/contracts/errors';
import type { BlobIndex, BlobType } from '../blob-index.ts';
import type { BlobReader } from '../blob-reader.ts';
import { fromHex, toHex } from '../format/blob-id.ts';
import type { BitSet } from './bit-set.ts';

const TREES_AT_ONCE = 4;

export interface FindLiveOptions {
  readonly index: BlobIndex;
  readonly reader: Pick<BlobReader, 'read'>;
  readonly signal: AbortSignal;
  /** Grows; trees that are in it already are not read again. */
  readonly live: BitSet;
  readonly onTree?: (id: Uint8Array) => void;
  /** Hears of each blob that is new in the set. */
  readonly onNew?: (entry: number) => void;
}

/**
 * Adds all blobs below the given trees (hex). Throws REPOSITORY_DAMAGED for a blob that is in no index and for a tree
 * that cannot be read: who deletes must know all that is needed.
 */
export async function findLiveBlobs(trees: Iterable<string>, options: FindLiveOptions): Promise<void> {
  const walk: Walk = { options, waiting: [] };
  for (const tree of trees) {
    need(fromHex(tree), 'tree', walk);
    await drain(walk.waiting, (entry) => readTree(entry, walk));
  }
}

interface Walk {
  readonly options: FindLiveOptions;
  /** Trees that are still to be read. */
  readonly waiting: number[];
}

async function readTree(entry: number, walk: Walk): Promise<void> {
  const { index, reader, signal, onTree } = walk.options;
  signal.throwIfAborted();
  const id = index.idOf(entry);
  for (const item of parseItems(await reader.read(id, 'tree'), id)) {
    if (!isReference(item)) throw noTree(id, 'holds an item that is none');
    const { type, content, subtree } = item;
    // An item without a type is restored as a file.
    if ((type ?? 'file') === 'file') for (const part of content ?? []) need(fromHex(part), 'data', walk);
    else if (type === 'dir' && isText(subtree)) need(fromHex(subtree), 'tree', walk);
  }
  onTree?.(id);
}

function need(id: Uint8Array, type: BlobType, { options, waiting }: Walk): void {
  const { index, live, onNew } = options;
  const entry = index.find(id, type);
  if (entry < 0) {
    throw new AppError('REPOSITORY_DAMAGED', { reason: `${type} blob ${toHex(id)} is needed but in no index` });
  }
  if (!live.add(entry)) return;
  onNew?.(entry);
  if (type === 'tree') waiting.push(entry);
}

/** What is of interest in an item. */
interface References {
  readonly type?: string | null;
  readonly content?: readonly string[] | null;
  readonly subtree?: string | null;
}

/**
 * The items of a tree, still to be checked; much faster than `parseTree`, which makes sense of all fields. As there,
 * `null` instead of a list is an empty folder, and anything else that is no list of items is damage: read as an empty
 * folder, it would have all below it deleted.
 */
function parseItems(json: Buffer, id: Uint8Array): readonly unknown[] {
  let tree: unknown;
  try {
    tree = JSON.parse(json.toString('utf8'));
  } catch (error) {
    throw noTree(id, 'is not JSON', error);
  }
  const nodes = isObject(tree) ? tree.nodes : undefined;
  if (nodes === null) return [];
  if (!Array.isArray(nodes)) throw noTree(id, 'has no list of items');
  return nodes;
}

function isReference(node: unknown): node is References {
  if (!isObject(node)) return false;
  const { content, subtree } = node;
  return isAbsentOr(content, isTexts) && isAbsentOr(subtree, isText);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

function isAbsentOr(value: unknown, is: (value: unknown) => boolean): boolean {
  return value === undefined || value === null || is(value);
}

function isTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every(isText);
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function noTree(id: Uint8Array, fault: string, cause?: unknown): AppError {
  return new AppError('REPOSITORY_DAMAGED', { reason: `the tree ${toHex(id)} ${fault}` }, { cause });
}

/** Works through a stack that grows meanwhile, a few at once; last in, first out keeps it short. */
async function drain(stack: number[], work: (entry: number) => Promise<void>): Promise<void> {
  const running = new Set<Promise<void>>();
  let failure: unknown = null;
  const start = (entry: number) => {
    const task: Promise<void> = work(entry)
      .catch((error: unknown) => {
        failure ??= error;
      })
      .finally(() => running.delete(task));
    running.add(task);
  };
  while (stack.length > 0 || running.size > 0) {
    while (stack.length > 0 && running.size < TREES_AT_ONCE) start(stack.pop() ?? 0);
    await Promise.race(running);
    if (failure === null) continue;
    await Promise.all(running);
    throw failure;
  }
}
