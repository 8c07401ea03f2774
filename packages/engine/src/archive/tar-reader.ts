/**
 * Reads tar archives as a stream: what `writeTar` writes, and what GNU tar and other writers of the pax, ustar, GNU
 * and pre-POSIX formats write.
 *
 * Paths are handed out raw, as they stand in the archive: relative or absolute, with `..` or whatever a hostile writer
 * put there. Keeping a restore inside its folder is the duty of whoever writes files, not of this reader. Only the
 * slash behind a folder's name is taken off.
 * Memory is bounded whatever the archive says: extended headers up to 8 MiB, names up to 1 MiB, data never.
 */
import { throwIfCancelled } from '../ports/pull-body.ts';
import type { EntryType, RestoreContent, RestoreEntry } from '../ports/source.ts';
import { ByteSource } from './byte-source.ts';
import { parsePaxTime, xattrsOf } from './pax-attributes.ts';
import { isSparse, readSparseLayout, type SparseLayout } from './sparse-layout.ts';
import { paddingOf, TYPE_FLAGS } from './tar-format.ts';
import { damagedArchive } from './tar-header-parser.ts';
import { type Member, MemberReader, numberOf, textOf } from './tar-member-reader.ts';
import { type PartMark, parsePartComment, pathOfWhole } from './tar-parts.ts';

const SLASH = 0x2f;
const NS_PER_SECOND = 1_000_000_000n;

const ENTRY_TYPES: Readonly<Record<string, EntryType>> = {
  [TYPE_FLAGS.file]: 'file',
  [TYPE_FLAGS.hardlink]: 'hardlink',
  [TYPE_FLAGS.symlink]: 'symlink',
  [TYPE_FLAGS.char_device]: 'char_device',
  [TYPE_FLAGS.block_device]: 'block_device',
  [TYPE_FLAGS.directory]: 'directory',
  [TYPE_FLAGS.fifo]: 'fifo',
  [TYPE_FLAGS.contiguous]: 'file',
  [TYPE_FLAGS.gnuSparse]: 'file',
  [TYPE_FLAGS.gnuDumpDirectory]: 'directory',
};

export interface ReadTarOptions {
  readonly signal: AbortSignal;
  /** Makes the names that are wanted of those in the archive, also for what hard links point to. Left out: as they are. */
  readonly nameOf?: (name: Uint8Array) => Uint8Array;
}

const asItIs = (name: Uint8Array): Uint8Array => name;

/** An entry that is being made. */
type NewEntry = { -readonly [K in keyof RestoreEntry]: RestoreEntry[K] };

/**
 * Yields the members in order. Content not read when the next entry is asked for is skipped. After the end of the
 * archive the rest of `body` is read too, so that a checksum over it is complete.
 * Throws ARTIFACT_DAMAGED (ends early, wrong header checksum, impossible numbers), CANCELLED, and what `body` throws.
 */
export async function* readTar(body: AsyncIterable<Uint8Array>, options: ReadTarOptions): AsyncGenerator<RestoreEntry> {
  const source = new ByteSource(body, options.signal);
  const members = new MemberReader(source);
  const { nameOf = asItIs } = options;
  try {
    for (let member = await members.next(); member; member = await members.next()) {
      throwIfCancelled(options.signal);
      if (member.header.typeFlag === TYPE_FLAGS.gnuVolume) {
        await skipExactly(source, member.header.size + paddingOf(member.header.size));
        continue;
      }
      if (member.header.typeFlag === TYPE_FLAGS.gnuContinued) {
        throw damagedArchive('it is a later volume of an archive in several volumes');
      }
      const mark = parsePartComment(textOf(member, 'comment'));
      const { entry, data } = await openMember(source, member);
      if (mark) {
        const parts = new PartedData({ source, members, path: pathOfWhole(entry.path, mark.number), mark, data });
        yield renamed({ ...entry, path: parts.path, sizeBytes: 0, isStream: true, content: parts }, nameOf);
        await parts.skipRest();
      } else {
        yield renamed(entry, nameOf);
        if (!data.skipNow()) await data.skipRest();
      }
    }
    while (await source.takeSome()) throwIfCancelled(options.signal);
  } finally {
    await source.close();
  }
}

function renamed(entry: NewEntry, nameOf: (name: Uint8Array) => Uint8Array): RestoreEntry {
  entry.path = nameOf(entry.path);
  if (entry.type === 'hardlink' && entry.linkTarget) entry.linkTarget = nameOf(entry.linkTarget);
  return entry;
}

async function skipExactly(source: ByteSource, count: number): Promise<void> {
  if (!(await source.skip(count))) throw endsEarly();
}

function endsEarly(): Error {
  return damagedArchive('the archive ends early');
}

/** Data of the current member; reading it moves the source forward, so it can be read once. */
class MemberData implements RestoreContent {
  readonly #source: ByteSource;
  #unread: number;
  #unreadPadding: number;

  constructor(source: ByteSource, dataBytes: number, paddingBytes: number) {
    this.#source = source;
    this.#unread = dataBytes;
    this.#unreadPadding = paddingBytes;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    while (this.#unread > 0) {
      const chunk = await this.#source.takeSome(this.#unread);
      if (!chunk) throw endsEarly();
      this.#unread -= chunk.byteLength;
      yield chunk;
    }
  }

  takeNow(): Uint8Array | null {
    const bytes = this.#source.takeNow(this.#unread);
    if (bytes) this.#unread = 0;
    return bytes;
  }

  async skipRest(): Promise<void> {
    const left = this.#unread + this.#unreadPadding;
    this.#unread = 0;
    this.#unreadPadding = 0;
    await skipExactly(this.#source, left);
  }

  /** The same when it is possible without waiting; false: nothing was done. */
  skipNow(): boolean {
    if (!this.#source.takeNow(this.#unread + this.#unreadPadding)) return false;
    this.#unread = 0;
    this.#unreadPadding = 0;
    return true;
  }
}

interface PartedFile {
  readonly source: ByteSource;
  readonly members: MemberReader;
  readonly path: Uint8Array;
}

/** Content that lies in several members, see `tar-parts.ts`. */
class PartedData implements AsyncIterable<Uint8Array> {
  readonly path: Uint8Array;
  readonly #file: PartedFile;
  #mark: PartMark;
  #data: MemberData;

  constructor({ mark, data, ...file }: PartedFile & { readonly mark: PartMark; readonly data: MemberData }) {
    if (mark.number !== 1) throw damagedArchive('the first part of a file is missing');
    this.path = file.path;
    this.#file = file;
    this.#mark = mark;
    this.#data = data;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for (;;) {
      yield* this.#data;
      if (this.#mark.isLast) return;
      await this.#next();
    }
  }

  async skipRest(): Promise<void> {
    while (!this.#mark.isLast) await this.#next();
    await this.#data.skipRest();
  }

  async #next(): Promise<void> {
    await this.#data.skipRest();
    const member = await this.#file.members.next();
    const mark = member && parsePartComment(textOf(member, 'comment'));
    if (mark?.number !== this.#mark.number + 1) throw damagedArchive('a part of a file is missing');
    const { entry, data } = await openMember(this.#file.source, member as Member);
    if (Buffer.compare(pathOfWhole(entry.path, mark.number), this.path) !== 0) {
      throw damagedArchive('a part of a file is missing');
    }
    this.#mark = mark;
    this.#data = data;
  }
}

async function openMember(source: ByteSource, member: Member): Promise<{ entry: NewEntry; data: MemberData }> {
  const type = typeOf(member);
  // GNU tar and POSIX differ on data behind hard links; GNU, which all others follow in practice, has none.
  const storedBytes = type === 'hardlink' ? 0 : (numberOf(member, 'size') ?? member.header.size);
  const sparse = type === 'file' && isSparse(member) ? await readSparseLayout(source, member, storedBytes) : null;
  const data = new MemberData(source, sparse?.dataBytes ?? storedBytes, paddingOf(storedBytes));
  const entry: NewEntry = {
    ...ownerOf(member),
    path: type === 'directory' ? withoutSlash(member.path) : member.path,
    type,
    linkTarget: type === 'symlink' || type === 'hardlink' ? member.linkName : null,
    sizeBytes: type === 'file' ? (sparse?.sizeBytes ?? storedBytes) : 0,
    segments: sparse?.segments ?? null,
    content: type === 'file' ? contentOf(data, sparse) : null,
  };
  return { entry, data };
}

function typeOf(member: Member): EntryType {
  const { typeFlag } = member.header;
  // Before POSIX a folder was a file whose name ends in a slash.
  if (typeFlag === TYPE_FLAGS.file && member.path.at(-1) === SLASH) return 'directory';
  // POSIX: a type nobody knows is to be taken as a regular file.
  return ENTRY_TYPES[typeFlag] ?? 'file';
}

type OwnerFields =
  | 'mode'
  | 'uid'
  | 'gid'
  | 'userName'
  | 'groupName'
  | 'modifiedAtNs'
  | 'deviceMajor'
  | 'deviceMinor'
  | 'xattrs';

function ownerOf(member: Member): Pick<RestoreEntry, OwnerFields> {
  const { header, attributes } = member;
  const time = attributes.values.get('mtime');
  return {
    mode: header.mode,
    uid: numberOf(member, 'uid') ?? header.uid,
    gid: numberOf(member, 'gid') ?? header.gid,
    userName: textOf(member, 'uname') ?? header.userName,
    groupName: textOf(member, 'gname') ?? header.groupName,
    modifiedAtNs: time ? parsePaxTime(time) : BigInt(header.mtimeSeconds) * NS_PER_SECOND,
    deviceMajor: numberOf(member, 'SCHILY.devmajor') ?? header.deviceMajor,
    deviceMinor: numberOf(member, 'SCHILY.devminor') ?? header.deviceMinor,
    xattrs: xattrsOf(attributes.values),
  };
}

/** A map may leave data unused behind its last stretch; that is not content. */
function contentOf(data: MemberData, sparse: SparseLayout | null): RestoreContent {
  if (!sparse) return data;
  const wanted = sparse.segments.reduce((sum, segment) => sum + segment.length, 0);
  return wanted === sparse.dataBytes ? data : firstBytes(data, wanted);
}

async function* firstBytes(data: AsyncIterable<Uint8Array>, count: number): AsyncGenerator<Uint8Array> {
  let left = count;
  if (left === 0) return;
  for await (const chunk of data) {
    yield chunk.subarray(0, left);
    left -= Math.min(left, chunk.byteLength);
    if (left === 0) return;
  }
}

function withoutSlash(path: Uint8Array): Uint8Array {
  let end = path.byteLength;
  while (end > 1 && path[end - 1] === SLASH) end -= 1;
  return path.subarray(0, end);
}
