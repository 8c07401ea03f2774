import { AppError } from '@backupx/contracts/errors';
import { toHex } from '../format/blob-id.ts';
import { LARGE_TREE_BYTES } from '../large-tree.ts';
import { MAX_PATH_LENGTH, shownPath, WalkBudget } from '../walk-budget.ts';
import { indexTree, type TreeIndex } from './tree-index.ts';

/** Where trees come from. */
export interface TreeReader {
  /** The JSON of a tree, verified. Throws REPOSITORY_DAMAGED. */
  read(id: Uint8Array, type: 'tree'): Promise<Uint8Array>;
  /** A number of its own for each tree; -1 for one that is unknown. */
  find(id: Uint8Array, type: 'tree'): number;
  /** Bytes of its JSON. */
  sizeOf(id: Uint8Array, type: 'tree'): number;
  /** A tree in pieces, each a tree by itself, verified before the first. Throws REPOSITORY_DAMAGED. */
  treePieces(id: Uint8Array): AsyncIterable<Uint8Array>;
}

/** Hands out trees. */
export interface Trees {
  /** `path` is the folder whose tree it is; an error names it. */
  load(id: Uint8Array, path: string): Promise<TreeIndex>;
  /**
   * The same tree in one or more parts, one behind the other in the order of names: of a huge one some MiB at a time are in
   * memory, and its compressed text.
   */
  parts(id: Uint8Array, path: string): AsyncGenerator<TreeIndex, void, undefined>;
  /** Begins to read a tree that will be loaded soon; a large one waits for its turn. */
  prefetch(id: Uint8Array): void;
}

/** Trees that are read before they are asked for. */
const MAX_AHEAD = 8;

/** Loads trees one at a time, with a few on their way for whoever knows what comes next. */
export class TreeLoader implements Trees {
  readonly #reader: TreeReader;
  readonly #ahead = new Map<string, Promise<Uint8Array>>();
  readonly #recent: RecentTrees;

  /** `keepBytes`: memory for trees that were used lately, so that the next page of a large folder costs nothing. */
  constructor(reader: TreeReader, keepBytes = 0) {
    this.#reader = reader;
    this.#recent = new RecentTrees(keepBytes);
  }

  /** The same trees for one walk through many folders: `load` throws SNAPSHOT_ENDLESS when that cannot come to an end. */
  walk(): Trees {
    const budget = new WalkBudget();
    return {
      load: async (id, path) => {
        const tree = await this.load(id, path);
        budget.enter(this.#reader.find(id, 'tree'), tree.byteLength, () => path);
        return tree;
      },
      parts: (id, path) => this.#walkParts(budget, id, path),
      prefetch: (id) => this.prefetch(id),
    };
  }

  async *#walkParts(budget: WalkBudget, id: Uint8Array, path: string): AsyncGenerator<TreeIndex, void, undefined> {
    let isEntered = false;
    for await (const tree of this.parts(id, path)) {
      const sizeBytes = Math.max(tree.byteLength, this.#reader.sizeOf(id, 'tree'));
      if (!isEntered) budget.enter(this.#reader.find(id, 'tree'), sizeBytes, () => path);
      isEntered = true;
      yield tree;
    }
  }

  async *parts(id: Uint8Array, path: string): AsyncGenerator<TreeIndex, void, undefined> {
    if (this.#reader.sizeOf(id, 'tree') <= LARGE_TREE_BYTES || this.#recent.get(toHex(id))) {
      yield await this.load(id, path);
      return;
    }
    if (path.length > MAX_PATH_LENGTH) throw tooDeep(path);
    try {
      for await (const piece of this.#reader.treePieces(id)) yield await indexTree(piece);
    } catch (error) {
      throw atPath(error, path);
    }
  }

  async load(id: Uint8Array, path: string): Promise<TreeIndex> {
    if (path.length > MAX_PATH_LENGTH) throw tooDeep(path);
    const key = toHex(id);
    const known = this.#recent.get(key);
    if (known) return known;
    const reading = this.#ahead.get(key) ?? this.#reader.read(id, 'tree');
    this.#ahead.delete(key);
    try {
      const tree = await indexTree(await reading);
      this.#recent.add(key, tree);
      return tree;
    } catch (error) {
      throw atPath(error, path);
    }
  }

  /** Gives up the memory of trees used lately, and of those read ahead that nobody came for. */
  forget(): void {
    this.#recent.clear();
    this.#ahead.clear();
  }

  prefetch(id: Uint8Array): void {
    const key = toHex(id);
    if (this.#ahead.size >= MAX_AHEAD || this.#ahead.has(key) || this.#recent.get(key)) return;
    if (this.#reader.sizeOf(id, 'tree') > LARGE_TREE_BYTES) return;
    const reading = this.#reader.read(id, 'tree');
    reading.catch(() => {}); // who loads it hears of it
    this.#ahead.set(key, reading);
  }
}

function tooDeep(path: string): AppError {
  return new AppError('REPOSITORY_DAMAGED', {
    reason: `folders lie in each other until their path has more than ${MAX_PATH_LENGTH} characters: ${shownPath(path)}`,
  });
}

/** The trees used last, within so many bytes. */
class RecentTrees {
  readonly #maxBytes: number;
  readonly #trees = new Map<string, TreeIndex>();
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get(key: string): TreeIndex | undefined {
    const tree = this.#trees.get(key);
    if (tree) {
      this.#trees.delete(key);
      this.#trees.set(key, tree);
    }
    return tree;
  }

  add(key: string, tree: TreeIndex): void {
    if (tree.byteLength > this.#maxBytes || this.#trees.has(key)) return;
    this.#trees.set(key, tree);
    this.#bytes += tree.byteLength;
    for (const [oldest, { byteLength }] of this.#trees) {
      if (this.#bytes <= this.#maxBytes) return;
      this.#trees.delete(oldest);
      this.#bytes -= byteLength;
    }
  }

  clear(): void {
    this.#trees.clear();
    this.#bytes = 0;
  }
}

/** Says which item of the snapshot a damage concerns. */
export function atPath(error: unknown, path: string): unknown {
  if (!(error instanceof AppError) || error.code !== 'REPOSITORY_DAMAGED') return error;
  return new AppError(
    'REPOSITORY_DAMAGED',
    { reason: `${path || '/'}: ${String(error.params.reason)}` },
    { cause: error },
  );
}
