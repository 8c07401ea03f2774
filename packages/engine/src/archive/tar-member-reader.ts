/**
 * Finds the next real member of an archive: gathers the records that precede it (pax `x` and `g`, GNU `L` and `K`) and
 * joins them with its header.
 */
import type { ByteSource } from './byte-source.ts';
import { joinPaxRecords, type PaxAttributes } from './pax-attributes.ts';
import { type PaxRecord, parsePaxRecords } from './pax-records.ts';
import { paddingOf, RECORD_BYTES, TYPE_FLAGS } from './tar-format.ts';
import { damagedArchive, isZeroRecord, parseHeader, type RawHeader } from './tar-header-parser.ts';

const MAX_PAX_BYTES = 8 * 1024 * 1024;
/** All global records together: they are looked at again for every member. */
const MAX_GLOBAL_BYTES = 64 * 1024;
const MAX_NAME_BYTES = 1024 * 1024;
/** Extended headers in a row before one member. */
const MAX_EXTENDED_HEADERS = 64;

export interface Member {
  readonly header: RawHeader;
  /** The header as it stood on tape (a copy), for formats that hide more in it. */
  readonly record: Uint8Array;
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
      const record = await this.#record();
      if (isZeroRecord(record)) {
        if (!isZeroRecord(await this.#record())) throw damagedArchive('the end mark of the archive is not whole');
        if (preamble.count > 0) throw damagedArchive('the archive ends after an extended header');
        return null;
      }
      // The record is a slice of the stream's chunk and gone with the next read.
      const kept = Uint8Array.from(record);
      const header = parseHeader(kept);
      if (!(await this.#readExtended(header, preamble))) return this.#join(header, kept, preamble);
      preamble.count += 1;
      if (preamble.count > MAX_EXTENDED_HEADERS) throw damagedArchive('too many extended headers in a row');
    }
  }

  async #record(): Promise<Uint8Array> {
    const record = this.#source.takeNow(RECORD_BYTES) ?? (await this.#source.take(RECORD_BYTES));
    if (!record) throw damagedArchive('the archive ends early');
    return record;
  }

  /** Takes in an extended header; false: it is a member. */
  async #readExtended(header: RawHeader, preamble: Preamble): Promise<boolean> {
    switch (header.typeFlag) {
      case TYPE_FLAGS.pax:
      case TYPE_FLAGS.solarisPax:
        preamble.pax = parsePaxRecords(await this.#data(header.size, MAX_PAX_BYTES));
        return true;
      case TYPE_FLAGS.paxGlobal:
        this.#globalBytes += header.size;
        if (this.#globalBytes > MAX_GLOBAL_BYTES) throw damagedArchive('an extended header is too large');
        this.#global.push(...parsePaxRecords(await this.#data(header.size, MAX_GLOBAL_BYTES)));
        return true;
      case TYPE_FLAGS.gnuLongName:
        preamble.longName = upToNul(await this.#data(header.size, MAX_NAME_BYTES));
        return true;
      case TYPE_FLAGS.gnuLongLink:
        preamble.longLink = upToNul(await this.#data(header.size, MAX_NAME_BYTES));
        return true;
      default:
        return false;
    }
  }

  /** Data of an extended header, a copy of its own. */
  async #data(sizeBytes: number, limit: number): Promise<Uint8Array> {
    if (sizeBytes > limit) throw damagedArchive('an extended header is too large');
    const data = await this.#source.take(sizeBytes);
    if (!data) throw damagedArchive('the archive ends early');
    const kept = Uint8Array.from(data);
    if (!(await this.#source.skip(paddingOf(sizeBytes)))) throw damagedArchive('the archive ends early');
    return kept;
  }

  #join(header: RawHeader, record: Uint8Array, preamble: Preamble): Member {
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
