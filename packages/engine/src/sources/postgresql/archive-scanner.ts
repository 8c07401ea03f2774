/**
 * Reads a dump in pg_dump's custom format while it passes: its table of contents, then its blocks of data, whose rows
 * it counts. The format has no end mark, so a dump is whole when every block that the contents promise has come and
 * nothing is begun. pg_restore would notice less: it skips what it does not need.
 */
import { ArchiveFormatError, type Toc, TocReader } from './archive-toc.ts';

const BLOCK_ROWS = 1;
const BLOCK_LARGE_OBJECTS = 3;
const LINE_FEED = 10;
/** After the rows comes `\.` with three line feeds. */
const END_LINE_FEEDS = 3;

type State = 'block' | 'object' | 'chunk' | 'bytes';

/** See above. */
export class ArchiveScanner {
  #tocReader: TocReader | null = new TocReader();
  #toc: Toc | null = null;
  #expected = new Set<number>();
  #carry = Buffer.alloc(0);
  #state: State = 'block';
  #isLargeObjects = false;
  #blockId = 0;
  #left = 0;
  #lineFeeds = 0;
  /** Rows by dump id of their `TABLE DATA`. */
  readonly rows = new Map<number, number>();
  largeObjects = 0;

  /** Known as soon as the head has passed. */
  get toc(): Toc | null {
    return this.#toc;
  }

  /** Throws ArchiveFormatError. */
  push(chunk: Uint8Array): void {
    if (!this.#tocReader) {
      this.#scan(chunk);
      return;
    }
    const read = this.#tocReader.push(chunk);
    if (!read) return;
    this.#tocReader = null;
    this.#toc = read.toc;
    for (const entry of read.toc.entries) if (entry.hasData) this.#expected.add(entry.dumpId);
    this.#scan(read.rest);
  }

  /** To be called after the last byte. Throws ArchiveFormatError for a dump that is not whole. */
  end(): Toc {
    if (!this.#toc) throw new ArchiveFormatError('it ends within its table of contents');
    if (this.#state !== 'block' || this.#carry.byteLength > 0) throw new ArchiveFormatError('it ends within its data');
    if (this.#expected.size > 0) {
      throw new ArchiveFormatError(`it ends before the data of ${this.#expected.size} of its objects`);
    }
    return this.#toc;
  }

  #scan(chunk: Uint8Array): void {
    const fresh = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    const bytes = this.#carry.byteLength > 0 ? Buffer.concat([this.#carry, fresh]) : fresh;
    let at = 0;
    for (;;) {
      if (this.#state === 'bytes') {
        const end = Math.min(bytes.byteLength, at + this.#left);
        if (!this.#isLargeObjects) this.#countLines(bytes, at, end);
        this.#left -= end - at;
        at = end;
        if (this.#left > 0) break;
        this.#state = 'chunk';
      }
      const size = this.#state === 'block' ? 6 : 5;
      if (at + size > bytes.byteLength) break;
      this.#step(bytes, at);
      at += size;
    }
    this.#carry = at === bytes.byteLength ? Buffer.alloc(0) : Buffer.from(bytes.subarray(at));
  }

  /** One number, with what it means here. */
  #step(bytes: Buffer, at: number): void {
    if (this.#state === 'block') {
      this.#beginBlock(bytes[at] ?? 0, readInt(bytes, at + 1));
      return;
    }
    const value = readInt(bytes, at);
    if (this.#state === 'object') {
      if (value === 0) this.#endBlock();
      else {
        this.largeObjects += 1;
        this.#state = 'chunk';
      }
    } else if (value > 0) {
      this.#left = value;
      this.#state = 'bytes';
    } else if (this.#isLargeObjects) this.#state = 'object';
    else this.#endBlock();
  }

  #beginBlock(type: number, id: number): void {
    if (type !== BLOCK_ROWS && type !== BLOCK_LARGE_OBJECTS) throw new ArchiveFormatError('its data is damaged');
    if (!this.#expected.delete(id)) throw new ArchiveFormatError('it has data that its contents do not tell of');
    this.#blockId = id;
    this.#lineFeeds = 0;
    this.#isLargeObjects = type === BLOCK_LARGE_OBJECTS;
    this.#state = this.#isLargeObjects ? 'object' : 'chunk';
  }

  #endBlock(): void {
    if (!this.#isLargeObjects) {
      if (this.#lineFeeds < END_LINE_FEEDS) throw new ArchiveFormatError('the rows of one of its tables are cut off');
      this.rows.set(this.#blockId, this.#lineFeeds - END_LINE_FEEDS);
    }
    this.#state = 'block';
  }

  #countLines(bytes: Buffer, from: number, to: number): void {
    let count = 0;
    for (let at = bytes.indexOf(LINE_FEED, from); at !== -1 && at < to; at = bytes.indexOf(LINE_FEED, at + 1))
      count += 1;
    this.#lineFeeds += count;
  }
}

function readInt(bytes: Buffer, at: number): number {
  // Everything counted here is positive; oids go beyond 2^31.
  if (bytes[at] !== 0) {
    if (bytes[at] !== 1) throw new ArchiveFormatError('its data is damaged');
    return 0x1_0000_0000 - bytes.readUInt32LE(at + 1);
  }
  return bytes.readUInt32LE(at + 1);
}

/** Passes a dump on while it is scanned; throws what `failure` makes of what is wrong with it. */
export async function* scanned(
  dump: AsyncIterable<Uint8Array>,
  scanner: ArchiveScanner,
  failure: (reason: string) => Error,
): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of dump) {
      scanner.push(chunk);
      yield chunk;
    }
    scanner.end();
  } catch (error) {
    throw error instanceof ArchiveFormatError ? failure(error.message) : error;
  }
}
