/**
 * The head of a dump in pg_dump's custom format, or `toc.dat` of one in its directory format: what wrote it and its table
 * of contents. Versions 1.14 to 1.16 of the format, which pg_dump writes since version 12. All lengths are checked; what
 * is not as it must be is no dump.
 */
import { TextDecoder } from 'node:util';

/** One object, or the rows of one. */
export interface TocEntry {
  readonly dumpId: number;
  /** In pg_dump's words: `TABLE`, `TABLE DATA`, `FK CONSTRAINT`, … */
  readonly kind: string;
  readonly tag: string;
  /** Empty: in no schema. */
  readonly namespace: string;
  readonly owner: string;
  readonly definition: string;
  readonly tablespace: string;
  readonly dependencies: readonly number[];
  /** Data must follow somewhere: a block of it, or a file. */
  readonly hasData: boolean;
  /** Name of that file in the directory format, as it is written there; else empty. */
  readonly file: string;
}

/** The head of a dump. */
export interface Toc {
  readonly database: string;
  readonly serverVersion: string;
  /** Version of the pg_dump that wrote it. */
  readonly dumpVersion: string;
  readonly intSize: number;
  readonly entries: readonly TocEntry[];
}

/** What is wrong with a dump, for people. */
export class ArchiveFormatError extends Error {}

const MAGIC = 'PGDMP';
/** As the head says it; that of a directory calls itself a tar. */
const FORMAT_CODES = { custom: 1, directory: 3 } as const;
const OLDEST_MINOR = 14;
const NEWEST_MINOR = 16;
const NO_COMPRESSION = 0;
const OFFSET_NO_DATA = 3;
const MAX_TEXT_BYTES = 1 << 28;
const MAX_ENTRIES = 50_000_000;
/** PostgreSQL's names of encodings that the world calls otherwise. Others are read as UTF-8. */
const ENCODINGS: Readonly<Record<string, string>> = {
  ...{ LATIN1: 'iso-8859-1', LATIN2: 'iso-8859-2', LATIN9: 'iso-8859-15', KOI8R: 'koi8-r', KOI8U: 'koi8-u' },
  ...{ WIN1250: 'windows-1250', WIN1251: 'windows-1251', WIN1252: 'windows-1252', EUC_JP: 'euc-jp', EUC_KR: 'euc-kr' },
};

/** Thrown inside when what has come so far ends in the middle of something. */
class NeedsMore extends Error {}

/** Of a dump that is made or read. */
export type DumpFormat = keyof typeof FORMAT_CODES;

interface RawEntry extends Omit<TocEntry, 'kind' | 'tag' | 'namespace' | 'owner' | 'definition' | 'tablespace'> {
  readonly texts: Readonly<Record<'kind' | 'tag' | 'namespace' | 'owner' | 'definition' | 'tablespace', Buffer>>;
}

interface Head {
  readonly minor: number;
  readonly intSize: number;
  readonly offsetSize: number;
  readonly database: Buffer;
  readonly serverVersion: string;
  readonly dumpVersion: string;
  readonly count: number;
}

/** Takes the bytes of a dump as they come, until its table of contents is whole. */
export class TocReader {
  #bytes = Buffer.alloc(0);
  #at = 0;
  #head: Head | null = null;
  readonly #entries: RawEntry[] = [];
  readonly #format: DumpFormat;
  #intSize = 0;

  constructor(format: DumpFormat = 'custom') {
    this.#format = format;
  }

  /** The table of contents and the bytes behind it, or null: more is needed. Throws ArchiveFormatError. */
  push(chunk: Uint8Array): { toc: Toc; rest: Buffer } | null {
    this.#bytes = Buffer.concat([this.#bytes.subarray(this.#at), chunk]);
    this.#at = 0;
    let whole = 0;
    try {
      this.#head ??= this.#readHead();
      whole = this.#at;
      while (this.#entries.length < this.#head.count) {
        this.#entries.push(this.#readEntry(this.#head));
        whole = this.#at;
      }
      return { toc: finishToc(this.#head, this.#entries), rest: this.#bytes.subarray(this.#at) };
    } catch (error) {
      if (!(error instanceof NeedsMore)) throw error;
      this.#at = whole;
      return null;
    }
  }

  #readHead(): Head {
    const magic = this.#take(MAGIC.length).toString('latin1');
    const unlike = `it is no dump in the ${this.#format} format of pg_dump`;
    if (magic !== MAGIC) throw new ArchiveFormatError(unlike);
    const [major = 0, minor = 0, , intSize = 0, offsetSize = 0, format = 0] = this.#take(6);
    if (major !== 1 || minor < OLDEST_MINOR || minor > NEWEST_MINOR) {
      throw new ArchiveFormatError(`its format ${major}.${minor} is not known to this version of BackupX`);
    }
    if (format !== FORMAT_CODES[this.#format] || intSize !== 4 || offsetSize !== 8)
      throw new ArchiveFormatError(unlike);
    this.#intSize = intSize;
    const compression = minor >= 15 ? (this.#take(1)[0] ?? 0) : this.#int();
    // What a user made with other programs may be compressed; then rows cannot be counted here.
    if (compression !== NO_COMPRESSION) throw new ArchiveFormatError('it is compressed inside');
    for (let index = 0; index < 7; index += 1) this.#int();
    const [database, serverVersion, dumpVersion] = [this.#text(), this.#text(), this.#text()];
    const count = this.#int();
    if (count < 0 || count > MAX_ENTRIES) throw new ArchiveFormatError('its table of contents is damaged');
    return {
      minor,
      intSize,
      offsetSize,
      database,
      serverVersion: `${serverVersion}`,
      dumpVersion: `${dumpVersion}`,
      count,
    };
  }

  #readEntry({ minor, offsetSize }: Head): RawEntry {
    const dumpId = this.#int();
    this.#int();
    this.#text();
    this.#text();
    const [tag, kind] = [this.#text(), this.#text()];
    this.#int();
    const definition = this.#text();
    this.#text();
    this.#text();
    const [namespace, tablespace] = [this.#text(), this.#text()];
    this.#text();
    if (minor >= 16) this.#int();
    const owner = this.#text();
    this.#text();
    const dependencies = this.#dependencies();
    const { hasData, file } = this.#readDataPlace(offsetSize);
    return { dumpId, dependencies, hasData, file, texts: { tag, kind, definition, namespace, tablespace, owner } };
  }

  #readDataPlace(offsetSize: number): Pick<TocEntry, 'hasData' | 'file'> {
    if (this.#format === 'directory') {
      const file = this.#text().toString('latin1');
      return { hasData: file !== '', file };
    }
    const hasData = this.#take(1)[0] !== OFFSET_NO_DATA;
    this.#take(offsetSize);
    return { hasData, file: '' };
  }

  #dependencies(): number[] {
    const ids: number[] = [];
    for (;;) {
      const text = this.#textOrNull();
      if (text === null) return ids;
      const id = Number(text.toString('latin1'));
      if (!Number.isInteger(id)) throw new ArchiveFormatError('its table of contents is damaged');
      ids.push(id);
    }
  }

  #take(length: number): Buffer {
    if (this.#at + length > this.#bytes.byteLength) throw new NeedsMore();
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  #int(): number {
    const bytes = this.#take(1 + this.#intSize);
    const value = bytes.readUInt32LE(1);
    if ((bytes[0] ?? 0) > 1) throw new ArchiveFormatError('its table of contents is damaged');
    return bytes[0] === 1 ? -value : value;
  }

  #textOrNull(): Buffer | null {
    const length = this.#int();
    if (length === -1) return null;
    if (length < 0 || length > MAX_TEXT_BYTES) throw new ArchiveFormatError('its table of contents is damaged');
    return this.#take(length);
  }

  #text(): Buffer {
    return this.#textOrNull() ?? Buffer.alloc(0);
  }
}

function finishToc(head: Head, raw: readonly RawEntry[]): Toc {
  const decoder = decoderOf(raw);
  const read = (bytes: Buffer) => decoder.decode(bytes);
  const entries = raw.map(({ texts, ...entry }) => ({
    ...entry,
    ...{ kind: read(texts.kind), tag: read(texts.tag), namespace: read(texts.namespace), owner: read(texts.owner) },
    ...{ definition: read(texts.definition), tablespace: read(texts.tablespace) },
  }));
  const { serverVersion, dumpVersion, intSize } = head;
  return { database: read(head.database), serverVersion, dumpVersion, intSize, entries };
}

/** The first entry says which encoding all texts are in: `SET client_encoding = 'LATIN1';`. */
function decoderOf(raw: readonly RawEntry[]): TextDecoder {
  const encoding = raw.find(({ texts }) => texts.kind.toString('latin1') === 'ENCODING');
  const name = /'([^']*)'/.exec(encoding?.texts.definition.toString('latin1') ?? '')?.[1] ?? '';
  return new TextDecoder(ENCODINGS[name] ?? 'utf-8');
}
