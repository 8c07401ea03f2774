/** Size and SHA-256 of every file of a backup, taken while it passes. */
import { createHash } from 'node:crypto';
import { WAL_FOLDER } from './entry-paths.ts';

export interface FileSum {
  readonly sizeBytes: number;
  readonly sha256: string;
}

export interface WalSegment extends FileSum {
  /** 24 hexadecimal digits: timeline, log, segment. */
  readonly name: string;
}

/** By paths below the data directory, bytes as latin1 text. */
export class FileSums {
  readonly #sums = new Map<string, FileSum>();
  #bytes = 0;

  get count(): number {
    return this.#sums.size;
  }

  get totalBytes(): number {
    return this.#bytes;
  }

  get(path: string): FileSum | undefined {
    return this.#sums.get(path);
  }

  paths(): Iterable<string> {
    return this.#sums.keys();
  }

  /** The content as it is; its sum is known when all of it has passed. */
  async *taking(path: string, content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    const hash = createHash('sha256');
    let sizeBytes = 0;
    for await (const chunk of content) {
      hash.update(chunk);
      sizeBytes += chunk.byteLength;
      yield chunk;
    }
    this.#sums.set(path, { sizeBytes, sha256: hash.digest('hex') });
    this.#bytes += sizeBytes;
  }

  walSegments(): WalSegment[] {
    return [...this.#sums].flatMap(([path, sum]) => {
      const name = path.slice(WAL_FOLDER.length + 1);
      return path.startsWith(`${WAL_FOLDER}/`) && /^[0-9A-F]{24}$/.test(name) ? [{ ...sum, name }] : [];
    });
  }
}
