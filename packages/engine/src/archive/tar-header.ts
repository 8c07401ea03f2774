/** Encoding of one archive member's header: the ustar record, and the pax records for what does not fit into it. */
import { isUtf8 } from 'node:buffer';
import type { EntryType, SourceEntry } from '../ports/source.ts';
import { asciiPaxRecord, encodePaxRecord } from './pax-records.ts';
import { FIELDS, type Field, MAX_OCTAL_7, MAX_OCTAL_11, RECORD_BYTES, TYPE_FLAGS, XATTR_PREFIX } from './tar-format.ts';

const SLASH = 0x2f;
const NS_PER_SECOND = 1_000_000_000n;
const CHECKSUM_FIELD_AS_SPACES = FIELDS.checksum.size * 0x20;
const NO_BYTES = Buffer.alloc(0);

const TYPE_CODES: Readonly<Record<EntryType, number>> = {
  file: TYPE_FLAGS.file.charCodeAt(0),
  hardlink: TYPE_FLAGS.hardlink.charCodeAt(0),
  symlink: TYPE_FLAGS.symlink.charCodeAt(0),
  char_device: TYPE_FLAGS.char_device.charCodeAt(0),
  block_device: TYPE_FLAGS.block_device.charCodeAt(0),
  directory: TYPE_FLAGS.directory.charCodeAt(0),
  fifo: TYPE_FLAGS.fifo.charCodeAt(0),
};

const TEMPLATE = Buffer.alloc(RECORD_BYTES);
TEMPLATE.write('ustar\x0000', FIELDS.magic.at, 'latin1');

/** What the header says beyond the entry itself. */
export interface MemberLayout {
  /** Bytes that follow the header, without padding. */
  readonly storedBytes: number;
  /** Set for sparse files: their size with holes. */
  readonly sparseSizeBytes: number | null;
  /** For readers of ours; others pass over it. ASCII. */
  readonly comment?: string;
}

/** A header ready to be written. */
export interface EncodedHeader {
  readonly name: Uint8Array;
  /** Records of the `x` member that goes before, or null when ustar says it all. */
  readonly pax: Buffer | null;
  readonly linkName: Uint8Array;
  readonly mtimeSeconds: number;
}

/** Path as stored: relative, a folder with a slash at its end; the root itself is `./`. */
export function storedPath(path: Uint8Array, isDirectory: boolean): Uint8Array {
  let start = 0;
  while (start < path.byteLength && path[start] === SLASH) start += 1;
  if (start === path.byteLength) return Buffer.from(isDirectory ? './' : '.', 'latin1');
  if (!isDirectory || path[path.byteLength - 1] === SLASH) return path.subarray(start);
  const withSlash = Buffer.allocUnsafe(path.byteLength - start + 1);
  withSlash.set(path.subarray(start), 0);
  withSlash[withSlash.byteLength - 1] = SLASH;
  return withSlash;
}

function isPlain(bytes: Uint8Array, limit: number): boolean {
  const length = bytes.byteLength;
  if (length > limit) return false;
  let bits = 0;
  for (let index = 0; index < length; index += 1) bits |= bytes[index] as number;
  return bits < 0x80;
}

/** ustar fields are bytes: ASCII, or what is no UTF-8 anyway. Other UTF-8 goes into a record, which names its charset. */
function fitsField(bytes: Uint8Array, limit: number): boolean {
  return isPlain(bytes, limit) || (bytes.byteLength <= limit && !isUtf8(bytes));
}

/** Index of the slash at which a long ASCII name splits into ustar prefix and name; -1: it does not. */
export function splitAt(name: Uint8Array): number {
  const length = name.byteLength;
  if (length > FIELDS.prefix.size + 1 + FIELDS.name.size || !isPlain(name, length)) return -1;
  const slash = name.indexOf(SLASH, length - FIELDS.name.size - 1);
  return slash > 0 && slash <= FIELDS.prefix.size && slash < length - 1 ? slash : -1;
}

/** Decides what goes into the pax records of an entry. */
export function encodeMember(entry: SourceEntry, layout: MemberLayout): EncodedHeader {
  const path = storedPath(entry.path, entry.type === 'directory');
  const linkName = linkNameOf(entry);
  const seconds = entry.modifiedAtNs / NS_PER_SECOND;
  const nanos = entry.modifiedAtNs - seconds * NS_PER_SECOND;
  const mtimeSeconds = Number(seconds);
  const isSparse = layout.sparseSizeBytes !== null;

  const records: Buffer[] = [];
  if (nanos !== 0n || mtimeSeconds < 0 || mtimeSeconds > MAX_OCTAL_11) {
    records.push(asciiPaxRecord('mtime', decimalTime(entry.modifiedAtNs)));
  }
  const pathFits = fitsField(path, FIELDS.name.size) || splitAt(path) > 0;
  const linkFits = fitsField(linkName, FIELDS.linkName.size);
  if (isSparse || !pathFits || !linkFits) addNameRecords(records, path, linkName, { isSparse, pathFits, linkFits });
  if (layout.sparseSizeBytes !== null) addSparseRecords(records, layout.sparseSizeBytes);
  addNumberRecords(records, entry, layout.storedBytes);
  if (entry.xattrs) addXattrRecords(records, entry.xattrs);
  if (layout.comment !== undefined) records.push(asciiPaxRecord('comment', layout.comment));
  const pax = records.length === 0 ? null : records.length === 1 ? (records[0] as Buffer) : Buffer.concat(records);
  const name = isSparse ? sparseMemberName(path) : path;
  return { name, pax, linkName, mtimeSeconds: Math.min(Math.max(mtimeSeconds, 0), MAX_OCTAL_11) };
}

function linkNameOf(entry: SourceEntry): Uint8Array {
  if (!entry.linkTarget) return NO_BYTES;
  // A hard link names another member of the archive, so it is stored as that member's path is.
  return entry.type === 'hardlink' ? storedPath(entry.linkTarget, false) : entry.linkTarget;
}

/** Seconds with nine decimals, as pax wants them: -1.5 is a second and a half before 1970. */
function decimalTime(ns: bigint): string {
  const magnitude = ns < 0n ? -ns : ns;
  const fraction = (magnitude % NS_PER_SECOND).toString().padStart(9, '0');
  return `${ns < 0n ? '-' : ''}${magnitude / NS_PER_SECOND}.${fraction}`;
}

function addNameRecords(
  records: Buffer[],
  path: Uint8Array,
  linkName: Uint8Array,
  flags: { readonly isSparse: boolean; readonly pathFits: boolean; readonly linkFits: boolean },
): void {
  // GNU tar takes the bytes as they are but warns that it does not know the keyword; libarchive needs it.
  if (!isUtf8(path) || !isUtf8(linkName)) records.push(asciiPaxRecord('hdrcharset', 'BINARY'));
  if (flags.isSparse) records.push(encodePaxRecord('GNU.sparse.name', path));
  else if (!flags.pathFits) records.push(encodePaxRecord('path', path));
  if (!flags.linkFits) records.push(encodePaxRecord('linkpath', linkName));
}

function addSparseRecords(records: Buffer[], sizeBytes: number): void {
  records.push(
    asciiPaxRecord('GNU.sparse.major', '1'),
    asciiPaxRecord('GNU.sparse.minor', '0'),
    asciiPaxRecord('GNU.sparse.realsize', String(sizeBytes)),
  );
}

function addNumberRecords(records: Buffer[], entry: SourceEntry, storedBytes: number): void {
  if (storedBytes > MAX_OCTAL_11) records.push(asciiPaxRecord('size', String(storedBytes)));
  if (entry.uid > MAX_OCTAL_7) records.push(asciiPaxRecord('uid', String(entry.uid)));
  if (entry.gid > MAX_OCTAL_7) records.push(asciiPaxRecord('gid', String(entry.gid)));
  if (!fitsName(entry.userName)) records.push(encodePaxRecord('uname', Buffer.from(entry.userName, 'utf8')));
  if (!fitsName(entry.groupName)) records.push(encodePaxRecord('gname', Buffer.from(entry.groupName, 'utf8')));
  if (entry.deviceMajor > MAX_OCTAL_7) records.push(asciiPaxRecord('SCHILY.devmajor', String(entry.deviceMajor)));
  if (entry.deviceMinor > MAX_OCTAL_7) records.push(asciiPaxRecord('SCHILY.devminor', String(entry.deviceMinor)));
}

/** ASCII of at most 31 characters: the field wants a NUL at its end. */
function fitsName(name: string): boolean {
  if (name.length >= FIELDS.userName.size) return false;
  for (let index = 0; index < name.length; index += 1) if (name.charCodeAt(index) > 0x7f) return false;
  return true;
}

function addXattrRecords(records: Buffer[], xattrs: ReadonlyMap<string, Uint8Array>): void {
  for (const [name, value] of xattrs) {
    // GNU tar writes "=" in a name as %3D, since "=" ends the key of a record.
    const key = name.replaceAll('%', '%25').replaceAll('=', '%3D');
    records.push(encodePaxRecord(XATTR_PREFIX + key, value));
  }
}

/** What readers without sparse support see; GNU tar does the same. */
function sparseMemberName(path: Uint8Array): Uint8Array {
  const baseName = path.subarray(path.lastIndexOf(SLASH) + 1);
  return Buffer.concat([Buffer.from('GNUSparseFile.0/'), isPlain(baseName, 80) ? baseName : Buffer.from('file')]);
}

/** Writes a ustar header at `at`. Numbers too large for their field are in the pax records and stand here as 0. */
export function writeUstar(
  block: Buffer,
  at: number,
  entry: SourceEntry,
  header: EncodedHeader,
  storedBytes: number,
): void {
  block.set(TEMPLATE, at);
  writeName(block, at, header.name);
  putOctal(block, at, FIELDS.mode, entry.mode & 0o7777);
  putOctal(block, at, FIELDS.uid, entry.uid > MAX_OCTAL_7 ? 0 : entry.uid);
  putOctal(block, at, FIELDS.gid, entry.gid > MAX_OCTAL_7 ? 0 : entry.gid);
  putOctal(block, at, FIELDS.size, storedBytes > MAX_OCTAL_11 ? 0 : storedBytes);
  putOctal(block, at, FIELDS.mtime, header.mtimeSeconds);
  block[at + FIELDS.type.at] = TYPE_CODES[entry.type];
  if (header.linkName.byteLength > 0) putBytes(block, at, FIELDS.linkName, header.linkName);
  putAsciiName(block, at, FIELDS.userName, entry.userName);
  putAsciiName(block, at, FIELDS.groupName, entry.groupName);
  putOctal(block, at, FIELDS.deviceMajor, entry.deviceMajor > MAX_OCTAL_7 ? 0 : entry.deviceMajor);
  putOctal(block, at, FIELDS.deviceMinor, entry.deviceMinor > MAX_OCTAL_7 ? 0 : entry.deviceMinor);
  putChecksum(block, at);
}

/** Headers of `x` members by data size: nearly all of them hold one time stamp and are the same. */
const paxHeaders = new Map<number, Buffer>();
const MAX_CACHED_PAX_BYTES = 1024;

/** Writes the header of an `x` member of `dataBytes`. */
export function writePaxHeader(block: Buffer, at: number, dataBytes: number): void {
  let header = paxHeaders.get(dataBytes);
  if (!header) {
    header = Buffer.from(TEMPLATE);
    header.write('PaxHeaders/x', 0, 'latin1');
    putOctal(header, 0, FIELDS.mode, 0o644);
    putOctal(header, 0, FIELDS.uid, 0);
    putOctal(header, 0, FIELDS.gid, 0);
    putOctal(header, 0, FIELDS.size, dataBytes);
    putOctal(header, 0, FIELDS.mtime, 0);
    header[FIELDS.type.at] = TYPE_FLAGS.pax.charCodeAt(0);
    putChecksum(header, 0);
    if (dataBytes <= MAX_CACHED_PAX_BYTES) paxHeaders.set(dataBytes, header);
  }
  block.set(header, at);
}

function writeName(block: Buffer, at: number, name: Uint8Array): void {
  const split = name.byteLength > FIELDS.name.size ? splitAt(name) : -1;
  if (split > 0) {
    putBytes(block, at, FIELDS.prefix, name.subarray(0, split));
    putBytes(block, at, FIELDS.name, name.subarray(split + 1));
  } else putBytes(block, at, FIELDS.name, name);
}

function putBytes(block: Buffer, at: number, field: Field, bytes: Uint8Array): void {
  const count = Math.min(bytes.byteLength, field.size);
  const start = at + field.at;
  // A loop beats `set` with a subarray for the few bytes of a name.
  for (let index = 0; index < count; index += 1) block[start + index] = bytes[index] as number;
}

function putAsciiName(block: Buffer, at: number, field: Field, name: string): void {
  if (!fitsName(name)) return;
  for (let index = 0; index < name.length; index += 1) block[at + field.at + index] = name.charCodeAt(index);
}

function putOctal(block: Buffer, at: number, field: Field, value: number): void {
  let position = at + field.at + field.size - 2;
  const start = at + field.at;
  let low = value % 0x1000000;
  let high = (value - low) / 0x1000000;
  for (let digit = 0; position >= start; digit += 1, position -= 1) {
    if (digit === 8) {
      low = high;
      high = 0;
    }
    block[position] = 0x30 + (low & 7);
    low >>>= 3;
  }
}

function putChecksum(block: Buffer, at: number): void {
  let sum = CHECKSUM_FIELD_AS_SPACES;
  // Behind the device numbers stands the prefix of a long name, mostly none.
  const end = at + (block[at + FIELDS.prefix.at] === 0 ? FIELDS.prefix.at : RECORD_BYTES);
  for (let index = at; index < end; index += 1) sum += block[index] as number;
  let position = at + FIELDS.checksum.at + 5;
  for (let digit = 0; digit < 6; digit += 1, position -= 1) {
    block[position] = 0x30 + (sum & 7);
    sum >>>= 3;
  }
  block[at + FIELDS.checksum.at + 6] = 0;
  block[at + FIELDS.checksum.at + 7] = 0x20;
}
