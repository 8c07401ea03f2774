import { AppError } from '@backupx/contracts/errors';
import { toHex } from '../format/blob-id.ts';
import { indexTree, type TreeIndex } from './tree-index.ts';

/** Reads the JSON of a tree, verified. Throws REPOSITORY_DAMAGED. */
export type ReadTreeJson = (id: Uint8Array) => Promise<Uint8Array>;

/** Trees that are read before they are asked for. */
const MAX_AHEAD = 8;

/** Loads trees one at a time, with a few on their way for whoever knows what comes next. */
export class TreeLoader {
  readonly #read: ReadTreeJson;
  readonly #ahead = new Map<string, Promise<Uint8Array>>();

  constructor(read: ReadTreeJson) {
    this.#read = read;
  }

  /** `path` is the folder whose tree it is; an error names it. */
  async load(id: Uint8Array, path: string): Promise<TreeIndex> {
    const key = toHex(id);
    const reading = this.#ahead.get(key) ?? this.#read(id);
    this.#ahead.delete(key);
    try {
      return await indexTree(await reading);
    } catch (error) {
      throw atPath(error, path);
    }
  }

  /** Begins to read a tree that will be loaded soon. */
  prefetch(id: Uint8Array): void {
    const key = toHex(id);
    if (this.#ahead.size >= MAX_AHEAD || this.#ahead.has(key)) return;
    const reading = this.#read(id);
    reading.catch(() => {}); // who loads it hears of it
    this.#ahead.set(key, reading);
  }
}

/** Says which item of the snapshot a damage concerns. */
export function atPath(error: unknown, path: string): unknown {
  if (!(error instanceof AppError) || error.code !== 'REPOSITORY_DAMAGED') return error;
  return new AppError(
    'REPOSITORY_DAMAGED',
    { reason: `${path || '/'}: ${String(error.params['reason'])}` },
    { cause: error },
  );
}
