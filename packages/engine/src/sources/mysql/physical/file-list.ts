/** `files.txt`: CRC-32, size and path of every file of a copy, one per line, in the order of the paths. */
import { crc32 } from 'node:zlib';
import { AppError } from '@backupx/contracts/errors';

export interface ListedFile {
  readonly crc: number;
  readonly sizeBytes: number;
}

/** Files by their paths. */
export class FileList {
  readonly #files = new Map<string, ListedFile>();

  /** Throws ARTIFACT_DAMAGED. */
  static parse(text: string): FileList {
    const list = new FileList();
    for (const line of text.split('\n').filter(Boolean)) {
      const [, crc, size, path] = /^([0-9a-f]{8}) (\d+) (.+)$/.exec(line) ?? [];
      if (crc === undefined || path === undefined) {
        throw new AppError('ARTIFACT_DAMAGED', { reason: 'the list of its files cannot be read' });
      }
      list.#files.set(path, { crc: Number.parseInt(crc, 16), sizeBytes: Number(size) });
    }
    return list;
  }

  get count(): number {
    return this.#files.size;
  }

  has(path: string): boolean {
    return this.#files.has(path);
  }

  get bytes(): number {
    let sum = 0;
    for (const { sizeBytes } of this.#files.values()) sum += sizeBytes;
    return sum;
  }

  /** Passes content on; when it has ended the file is in the list. */
  async *note(path: string, content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    let [crc, sizeBytes] = [0, 0];
    for await (const chunk of content) {
      crc = crc32(chunk, crc);
      sizeBytes += chunk.byteLength;
      yield chunk;
    }
    this.#files.set(path, { crc, sizeBytes });
  }

  format(): string {
    const lines = [...this.#files].map(
      ([path, { crc, sizeBytes }]) => [path, `${crc.toString(16).padStart(8, '0')} ${sizeBytes} ${path}\n`] as const,
    );
    return lines
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([, line]) => line)
      .join('');
  }

  /** What of this list is missing in `found` or is another there; and what is there and not in this list. */
  differences(found: FileList): string[] {
    const wrong: string[] = [];
    for (const [path, { crc, sizeBytes }] of this.#files) {
      const other = found.#files.get(path);
      if (!other) wrong.push(`${path} is missing`);
      else if (other.sizeBytes !== sizeBytes)
        wrong.push(`${path} has ${other.sizeBytes} bytes instead of ${sizeBytes}`);
      else if (other.crc !== crc) wrong.push(`${path} is not as it was`);
    }
    for (const path of found.#files.keys()) if (!this.#files.has(path)) wrong.push(`${path} does not belong to it`);
    return wrong;
  }
}
