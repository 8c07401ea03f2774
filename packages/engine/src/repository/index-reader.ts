import { throwIfCancelled } from '../ports/pull-body.ts';
import { fetchRange } from './fetch-range.ts';
import { hashOf, toHex } from './format/blob-id.ts';
import { openFileInto } from './format/unpacked-file.ts';
import type { Repository, RepositoryFile } from './open-repository.ts';
import { MAX_FILE_BYTES } from './read-object.ts';
import { ScratchMemory } from './scratch-memory.ts';

/** One byte more than is expected shows a file that is longer than it was listed. */
const PROBE_BYTES = 1;

/**
 * Hands the JSON of a file, valid during the call, to `use`; at once where the file is as it was listed. Throws as
 * `Repository.readFile`, and what `use` throws.
 */
export type OpenIndexFile = (use: (json: Uint8Array) => void) => Promise<void>;

/** Fetches a file, to be opened before the same lane fetches the next. Throws what the storage throws. */
export type FetchIndexFile = (file: RepositoryFile, signal: AbortSignal) => Promise<OpenIndexFile>;

/**
 * Reads index files into the same memory one after the other: an index of a million blobs is 150 MB of JSON. Files may
 * be on their way at once, each in a lane of its own; they are opened one at a time.
 */
export class IndexReader {
  readonly #repository: Repository;
  readonly #opened = new ScratchMemory();
  readonly #plain = new ScratchMemory();
  readonly #memories = [this.#opened, this.#plain];

  constructor(repository: Repository) {
    this.#repository = repository;
  }

  /** A lane: fetches one file at a time. */
  lane(): FetchIndexFile {
    const sealed = new ScratchMemory();
    this.#memories.push(sealed);
    return async (file, signal) => {
      const fetched = await this.#fetch(file, signal, sealed);
      return async (use) => {
        const opened = fetched && this.#open(fetched);
        // At once: another lane opens the next file into the same memory.
        if (opened) use(opened);
        // Whatever is the matter with it, this way finds it out and says so.
        else use(await this.#repository.readFile('index', file.name, signal));
      };
    };
  }

  /** Gives the memory back; no lane may be reading. */
  close(): void {
    for (const memory of this.#memories) memory.free();
  }

  /** Null: it is not as it was listed. */
  async #fetch(
    { name, sizeBytes }: RepositoryFile,
    signal: AbortSignal,
    memory: ScratchMemory,
  ): Promise<Buffer | null> {
    if (sizeBytes <= 0 || sizeBytes > MAX_FILE_BYTES.index) return null;
    const { storage } = this.#repository.place;
    const target = memory.take(sizeBytes + PROBE_BYTES);
    const range = { key: this.#repository.key('index', name), start: 0, end: target.byteLength };
    const count = await fetchRange(storage, range, target, signal);
    throwIfCancelled(signal);
    const sealed = target.subarray(0, count);
    return count === sizeBytes && toHex(hashOf(sealed)) === name ? sealed : null;
  }

  #open(sealed: Buffer): Buffer | null {
    try {
      return openFileInto(this.#repository.box, sealed, { opened: this.#opened, plain: this.#plain });
    } catch {
      return null;
    }
  }
}
