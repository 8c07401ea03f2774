import { AppError } from '@backupx/contracts/errors';
import { displayPath } from '../../ports/display-path.ts';
import type { BlobReader } from '../blob-reader.ts';
import { toHex } from '../format/blob-id.ts';
import { parseTree, treeBatches } from '../format/parse-tree.ts';
import type { TreeNode } from '../format/tree-node.ts';
import { LARGE_TREE_BYTES } from '../large-tree.ts';
import { WalkBudget } from '../walk-budget.ts';

/** Trees that are read before they are asked for. */
const MAX_AHEAD = 8;

type TreeReader = Pick<BlobReader, 'read' | 'find' | 'sizeOf' | 'openLargeTree'>;

/** Hands out the trees of one walk one by one, and has the next ones on their way. */
export class TreeSource {
  readonly #reader: TreeReader;
  readonly #ahead = new Map<string, Promise<Buffer>>();
  readonly #budget = new WalkBudget();

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

  /**
   * The nodes of the tree of a folder (raw bytes, one character per byte) in its order, in batches. Throws
   * REPOSITORY_DAMAGED, STORAGE_* and SNAPSHOT_ENDLESS.
   */
  async *nodes(id: Uint8Array, path: string): AsyncGenerator<TreeNode[]> {
    this.#budget.enter(this.#reader.find(id, 'tree'), this.#reader.sizeOf(id, 'tree'), () => displayed(path));
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

function displayed(path: string): string {
  return displayPath(Buffer.from(path, 'latin1'));
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
