/**
 * Reads a dump in pg_dump's directory format while its files pass: the rows of each table in a file, large objects in
 * files of their own with lists of them, and the table of contents. A dump is whole when every file that the contents and
 * the lists name has come, no other has, and the rows of every table end with their mark.
 */
import { ArchiveFormatError, type Toc, type TocEntry, TocReader } from './archive-toc.ts';
import { isDumpFile, TOC_FILE } from './entry-paths.ts';

const LINE_FEED = 10;
/** What pg_dump writes behind the rows of a table. */
const END_OF_ROWS = Buffer.from('\\.\n\n\n');
const END_LINE_FEEDS = 3;
const MAX_LIST_BYTES = 256 * 1024 * 1024;

interface RowsFile {
  readonly lineFeeds: number;
  readonly isWhole: boolean;
}

/** See above. All of its errors are what `failure` makes of a reason. */
export class FolderScanner {
  readonly #failure: (reason: string) => Error;
  readonly #rowFiles = new Map<string, RowsFile>();
  readonly #lists = new Map<string, string>();
  /** Files that have come and nothing has named yet. */
  readonly #left = new Set<string>();
  #toc: Toc | null = null;
  /** Rows by dump id of their `TABLE DATA`; known at the end. */
  readonly rows = new Map<number, number>();
  largeObjects = 0;

  constructor(failure: (reason: string) => Error) {
    this.#failure = failure;
  }

  /** Passes a file on. */
  async *taking(name: string, content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    if (!isDumpFile(name) || this.#left.has(name)) throw this.#failure(`there is a file "${name}" too much in it`);
    this.#left.add(name);
    try {
      if (name === TOC_FILE) yield* this.#takingToc(content);
      else if (name.endsWith('.toc')) yield* this.#takingList(name, content);
      else if (name.startsWith('blob')) yield* content;
      else yield* this.#takingRows(name, content);
    } catch (error) {
      throw error instanceof ArchiveFormatError ? this.#failure(error.message) : error;
    }
  }

  /** To be called after the last file. */
  end(): Toc {
    const toc = this.#toc;
    if (!toc) throw this.#failure(`its table of contents (${TOC_FILE}) is missing`);
    this.#left.delete(TOC_FILE);
    for (const entry of toc.entries) if (entry.hasData) this.#endEntry(entry);
    const [odd] = this.#left;
    if (odd !== undefined) throw this.#failure(`it has a file "${odd}" that its contents do not tell of`);
    return toc;
  }

  async *#takingToc(content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    const reader = new TocReader('directory');
    for await (const chunk of content) {
      if (this.#toc) throw new ArchiveFormatError('there is something behind its table of contents');
      const read = reader.push(chunk);
      if (read && read.rest.byteLength > 0)
        throw new ArchiveFormatError('there is something behind its table of contents');
      this.#toc = read?.toc ?? null;
      yield chunk;
    }
    if (!this.#toc) throw new ArchiveFormatError('it ends within its table of contents');
  }

  async *#takingList(name: string, content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    const chunks: Uint8Array[] = [];
    let size = 0;
    for await (const chunk of content) {
      size += chunk.byteLength;
      if (size > MAX_LIST_BYTES) throw new ArchiveFormatError(`its list ${name} is too long`);
      chunks.push(Uint8Array.from(chunk));
      yield chunk;
    }
    this.#lists.set(name, Buffer.concat(chunks).toString('latin1'));
  }

  async *#takingRows(name: string, content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    let lineFeeds = 0;
    let tail = Buffer.alloc(0);
    for await (const chunk of content) {
      const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
      for (let at = bytes.indexOf(LINE_FEED); at !== -1; at = bytes.indexOf(LINE_FEED, at + 1)) lineFeeds += 1;
      tail = Buffer.concat([tail, bytes.subarray(-END_OF_ROWS.byteLength)]).subarray(-END_OF_ROWS.byteLength);
      yield chunk;
    }
    this.#rowFiles.set(name, { lineFeeds, isWhole: tail.equals(END_OF_ROWS) });
  }

  #endEntry({ kind, file, dumpId, namespace, tag }: TocEntry): void {
    // A name that leads elsewhere would be opened by pg_restore all the same.
    if (!isDumpFile(file) || !this.#left.delete(file)) throw this.#failure(`its file "${file}" is missing`);
    // pg_restore reads it as what its contents say it is, whatever its name.
    if ((kind === 'BLOBS') !== file.endsWith('.toc'))
      throw this.#failure(`"${file}" cannot be the file of ${kind} ${tag}`);
    const list = this.#lists.get(file);
    if (list !== undefined) {
      this.#endList(file, list);
      return;
    }
    const rows = this.#rowFiles.get(file);
    if (!rows?.isWhole) throw this.#failure(`the rows of ${namespace}.${tag} (${file}) are cut off`);
    this.rows.set(dumpId, rows.lineFeeds - END_LINE_FEEDS);
  }

  #endList(name: string, text: string): void {
    if (text !== '' && !text.endsWith('\n')) throw this.#failure(`its list ${name} is cut off`);
    for (const line of text.split('\n')) {
      if (line === '') continue;
      const file = /^\d+ (blob_\d+\.dat)$/.exec(line)?.[1];
      if (file === undefined) throw this.#failure(`its list ${name} is damaged`);
      if (!this.#left.delete(file)) throw this.#failure(`its file "${file}" is missing`);
      this.largeObjects += 1;
    }
  }
}
