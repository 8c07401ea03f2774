/**
 * Finds the next real member of an archive: gathers the records that precede it (pax `x` and `g`, GNU `L` and `K`) and
 * joins them with its header.
 */
import type { ByteSource } from './byte-source.ts';
import { joinPaxRecords, type PaxAttributes, textOfValue, wholeNumber } from './pax-attributes.ts';
import { type PaxRecord, parsePaxRecords } from './pax-records.ts';
import { paddingOf, RECORD_BYTES, TYPE_FLAGS } from './tar-format.ts';
import {
  damagedArchive,
  type HeaderStart,
  isZeroRecord,
  parseHeader,
  parseStart,
  type RawHeader,
} from './tar-header-parser.ts';

const MAX_PAX_BYTES = 8 * 1024 * 1024;
/** All global records together: they are looked at again for every member. */
const MAX_GLOBAL_BYTES = 64 * 1024;
const MAX_NAME_BYTES = 1024 * 1024;
/** Extended headers in a row before one member. */
const MAX_EXTENDED_HEADERS = 64;

/** Types of records that belong to the member behind them, and how much data each may have. */
const EXTENDED_LIMITS: Readonly<Record<string, number>> = {
  [TYPE_FLAGS.pax]: MAX_PAX_BYTES,
  [TYPE_FLAGS.solarisPax]: MAX_PAX_BYTES,
  [TYPE_FLAGS.paxGlobal]: MAX_GLOBAL_BYTES,
  [TYPE_FLAGS.gnuLongName]: MAX_NAME_BYTES,
  [TYPE_FLAGS.gnuLongLink]: MAX_NAME_BYTES,
};

export interface Member {
  readonly header: RawHeader;
  /** The header as it stood on tape (a copy), for the format that hides a map in it (`S`); null for all others. */
  readonly record: Uint8Array | null;
  readonly attributes: PaxAttributes;
  /** Raw bytes, from the most specific place that names it. Never empty, no NUL. */
  readonly path: Uint8Array;
  readonly linkName: Uint8Array;
}

/** What was gathered before the member itself. */
interface Preamble {
  pax: PaxRecord[];
  longName: Uint8Array | null;
  longLink: Uint8Array | null;
  count: number;
}

export class MemberReader {
  readonly #source: ByteSource;
  #global: PaxRecord[] = [];
  #globalBytes = 0;

  constructor(source: ByteSource) {
    this.#source = source;
  }

  /** The next member, its data still to be read; null after the two zero records. Throws ARTIFACT_DAMAGED. */
  async next(): Promise<Member | null> {
    const preamble: Preamble = { pax: [], longName: null, longLink: null, count: 0 };
    for (;;) {
      // Waiting costs more than parsing, and is seldom needed.
      const record = this.#source.takeNow(RECORD_BYTES) ?? (await this.#record());
      if (isZeroRecord(record)) return await this.#end(preamble);
      const header = parseStart(record);
      const limit = EXTENDED_LIMITS[header.typeFlag];
      if (limit === undefined) return this.#join(record, header, preamble);
      if (header.size > limit) throw damagedArchive('an extended header is too large');
      this.#takeIn(header, this.#dataNow(header.size) ?? (await this.#data(header.size)), preamble);
      preamble.count += 1;
      if (preamble.count > MAX_EXTENDED_HEADERS) throw damagedArchive('too many extended headers in a row');
    }
  }

  /** The second of the two zero records. */
  async #end(preamble: Preamble): Promise<null> {
    if (!isZeroRecord(await this.#record())) throw damagedArchive('the end mark of the archive is not whole');
    if (preamble.count > 0) throw damagedArchive('the archive ends after an extended header');
    return null;
  }

  async #record(): Promise<Uint8Array> {
    const record = await this.#source.take(RECORD_BYTES);
    if (!record) throw damagedArchive('the archive ends early');
    return record;
  }

  #takeIn(header: HeaderStart, data: Uint8Array, preamble: Preamble): void {
    switch (header.typeFlag) {
      case TYPE_FLAGS.paxGlobal:
        this.#globalBytes += header.size;
        if (this.#globalBytes > MAX_GLOBAL_BYTES) throw damagedArchive('an extended header is too large');
        this.#global.push(...parsePaxRecords(data));
        break;
      case TYPE_FLAGS.gnuLongName:
        preamble.longName = upToNul(data);
        break;
      case TYPE_FLAGS.gnuLongLink:
        preamble.longLink = upToNul(data);
        break;
      default:
        preamble.pax = parsePaxRecords(data);
    }
  }

  /** Data of an extended header, a copy of its own; null when it must be waited for. */
  #dataNow(sizeBytes: number): Uint8Array | null {
    return this.#source.takeNow(sizeBytes + paddingOf(sizeBytes))?.slice(0, sizeBytes) ?? null;
  }

  async #data(sizeBytes: number): Promise<Uint8Array> {
    const data = new Uint8Array(sizeBytes);
    const isWhole = (await this.#source.takeInto(data)) && (await this.#source.skip(paddingOf(sizeBytes)));
    if (!isWhole) throw damagedArchive('the archive ends early');
    return data;
  }

  #join(bytes: Uint8Array, start: HeaderStart, preamble: Preamble): Member {
    const header = parseHeader(bytes, start);
    // It is a slice of the stream's chunk and gone with the next read.
    const record = header.typeFlag === TYPE_FLAGS.gnuSparse ? bytes.slice() : null;
    const attributes = joinPaxRecords(this.#global.length === 0 ? preamble.pax : [...this.#global, ...preamble.pax]);
    const { values } = attributes;
    const path = values.get('GNU.sparse.name') ?? values.get('path') ?? preamble.longName ?? header.name;
    const linkName = values.get('linkpath') ?? preamble.longLink ?? header.linkName;
    if (path.byteLength === 0) throw damagedArchive('a member of the archive has no name');
    if (path.includes(0) || linkName.includes(0)) throw damagedArchive('a name in the archive holds a zero byte');
    return { header, record, attributes, path, linkName };
  }
}

function upToNul(data: Uint8Array): Uint8Array {
  const end = data.indexOf(0);
  return end < 0 ? data : data.subarray(0, end);
}

/** A number that extended headers give; null: they do not. Throws ARTIFACT_DAMAGED. */
export function numberOf(member: Member, key: string): number | null {
  const value = member.attributes.values.get(key);
  return value ? wholeNumber(value, key) : null;
}

export function textOf(member: Member, key: string): string | null {
  const value = member.attributes.values.get(key);
  return value ? textOfValue(value) : null;
}
