import { AppError } from '@backupx/contracts/errors';
import type { BlobReader } from '../blob-reader.ts';
import { toHex } from '../format/blob-id.ts';
import { parseTree, treeBatches } from '../format/parse-tree.ts';
import type { TreeNode } from '../format/tree-node.ts';
import { LARGE_TREE_BYTES } from '../large-tree.ts';

/** Trees that are read before they are asked for. */
const MAX_AHEAD = 8;

type TreeReader = Pick<BlobReader, 'read' | 'sizeOf' | 'openLargeTree'>;

/** Hands out trees one by one and has the next ones on their way. */
export class TreeSource {
  readonly #reader: TreeReader;
  readonly #ahead = new Map<string, Promise<Buffer>>();

  constructor(reader: TreeReader) {
    this.#reader = reader;
  }

  /** Says which trees will be asked for next, in their order. Large ones wait for their turn. */
  expect(ids: Iterable<Uint8Array>): void {
    for (const id of ids) {
      if (this.#ahead.size >= MAX_AHEAD) return;
      const key = toHex(id);
      if (this.#ahead.has(key) || this.#isLarge(id)) continue;
      const reading = this.#reader.read(id, 'tree');
      reading.catch(() => {}); // who asks for it hears of it
      this.#ahead.set(key, reading);
    }
  }

  /** The nodes of a tree in its order, in batches, at least one. Throws REPOSITORY_DAMAGED and STORAGE_*. */
  async *nodes(id: Uint8Array): AsyncGenerator<TreeNode[]> {
    if (this.#isLarge(id)) {
      const tree = await this.#reader.openLargeTree(id);
      for await (const json of tree.trees()) yield* treeBatches(json);
      return;
    }
    const key = toHex(id);
    const reading = this.#ahead.get(key) ?? this.#reader.read(id, 'tree');
    this.#ahead.delete(key);
    yield parseTree(await reading);
  }

  #isLarge(id: Uint8Array): boolean {
    return this.#reader.sizeOf(id, 'tree') > LARGE_TREE_BYTES;
  }
}

/** True for an error that concerns one thing in the repository, so that the rest can still be read. */
export function isLoss(error: unknown): error is AppError {
  return error instanceof AppError && LOSSES.has(error.code);
}

const LOSSES: ReadonlySet<string> = new Set([
  'REPOSITORY_DAMAGED',
  'STORAGE_NOT_FOUND',
  'STORAGE_PERMISSION',
  'STORAGE_FAILED',
]);
