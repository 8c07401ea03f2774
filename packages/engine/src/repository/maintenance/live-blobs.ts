/**
 * Finds every blob that a snapshot needs. The set holds, per blob, the number of its first entry in the index; trees in
 * it have been read, so that what many snapshots share is read once.
 */
import { AppError } from '@backupx/contracts/errors';
import type { BitSet } from '../bit-set.ts';
import type { BlobIndex, BlobType } from '../blob-index.ts';
import type { BlobReader } from '../blob-reader.ts';
import { fromHex, toHex } from '../format/blob-id.ts';
import { readReferences } from './read-references.ts';

const TREES_AT_ONCE = 4;

export interface FindLiveOptions {
  readonly index: BlobIndex;
  readonly reader: Pick<BlobReader, 'treePieces'>;
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
  const listener = {
    onData: (part: Uint8Array) => need(part, 'data', walk),
    onTree: (subtree: Uint8Array) => need(subtree, 'tree', walk),
  };
  for await (const json of reader.treePieces(id)) {
    signal.throwIfAborted();
    readReferences(json, `the tree ${toHex(id)}`, listener);
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
