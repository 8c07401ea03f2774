/** Decoding of one 512-byte header record: ustar, old GNU and the plain format before both. */
import { AppError } from '@backupx/contracts/errors';
import { FIELDS, type Field, RECORD_BYTES } from './tar-format.ts';

const SPACE = 0x20;
const BINARY_FLAG = 0x80;
const NOTHING = new Uint8Array(0);
const POSIX_MAGIC = Buffer.from('ustar\0', 'latin1');
const GNU_MAGIC = Buffer.from('ustar  \0', 'latin1');

/** A header as it stands on tape, before pax and GNU records are applied. Byte fields are copies. */
export interface RawHeader {
  readonly typeFlag: string;
  readonly name: Uint8Array;
  readonly linkName: Uint8Array;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtimeSeconds: number;
  readonly userName: string;
  readonly groupName: string;
  readonly deviceMajor: number;
  readonly deviceMinor: number;
}

export function damagedArchive(reason: string): AppError {
  return new AppError('ARTIFACT_DAMAGED', { reason });
}

export function isZeroRecord(record: Uint8Array): boolean {
  for (let index = 0; index < RECORD_BYTES; index += 1) if (record[index] !== 0) return false;
  return true;
}

/** What every header has in the same place. */
export type HeaderStart = Pick<RawHeader, 'typeFlag' | 'size'>;

/** Checks a record that is not all zeros, and reads what it is of. Throws ARTIFACT_DAMAGED. */
export function parseStart(record: Uint8Array): HeaderStart {
  checkChecksum(record);
  const typeByte = record[FIELDS.type.at] ?? 0;
  return {
    typeFlag: typeByte === 0 ? '0' : String.fromCharCode(typeByte),
    size: parseNumber(record, FIELDS.size, 'size'),
  };
}

/** Parses the rest of a record. Throws ARTIFACT_DAMAGED. */
export function parseHeader(record: Uint8Array, { typeFlag, size }: HeaderStart): RawHeader {
  const isPosix = hasMagic(record, POSIX_MAGIC);
  const isGnu = hasMagic(record, GNU_MAGIC);
  const hasOwnerNames = isPosix || isGnu;
  return {
    typeFlag,
    size,
    // GNU headers keep other things where POSIX has the prefix.
    name: isPosix ? withPrefix(record) : bytesOf(record, FIELDS.name),
    linkName: bytesOf(record, FIELDS.linkName),
    mode: parseNumber(record, FIELDS.mode, 'mode') & 0o7777,
    uid: parseNumber(record, FIELDS.uid, 'owner'),
    gid: parseNumber(record, FIELDS.gid, 'group'),
    mtimeSeconds: parseTime(record),
    userName: hasOwnerNames ? textOf(record, FIELDS.userName) : '',
    groupName: hasOwnerNames ? textOf(record, FIELDS.groupName) : '',
    deviceMajor: hasOwnerNames ? parseNumber(record, FIELDS.deviceMajor, 'device') : 0,
    deviceMinor: hasOwnerNames ? parseNumber(record, FIELDS.deviceMinor, 'device') : 0,
  };
}

/** Some old writers summed signed bytes; both sums are accepted. */
function checkChecksum(record: Uint8Array): void {
  const { at, size } = FIELDS.checksum;
  // The field itself counts as blanks.
  const unsigned = sumOf(record, 0, at) + SPACE * size + sumOf(record, at + size, RECORD_BYTES);
  const stored = parseOctal(record, FIELDS.checksum);
  if (stored === unsigned) return;
  let highBytes = 0;
  for (let index = 0; index < RECORD_BYTES; index += 1) {
    if (index < at || index >= at + size) highBytes += (record[index] as number) >> 7;
  }
  if (stored !== unsigned - 256 * highBytes) throw damagedArchive('a header in the archive has a wrong checksum');
}

function sumOf(record: Uint8Array, from: number, to: number): number {
  let sum = 0;
  for (let index = from; index < to; index += 1) sum += record[index] as number;
  return sum;
}

/** The bytes before the first NUL. A copy, because the record belongs to the stream. */
function bytesOf(record: Uint8Array, field: Field): Uint8Array {
  if (record[field.at] === 0) return NOTHING;
  return record.slice(field.at, endOf(record, field));
}

function endOf(record: Uint8Array, field: Field): number {
  let end = field.at;
  while (end < field.at + field.size && record[end] !== 0) end += 1;
  return end;
}

function withPrefix(record: Uint8Array): Uint8Array {
  const name = bytesOf(record, FIELDS.name);
  if (record[FIELDS.prefix.at] === 0) return name;
  return Buffer.concat([bytesOf(record, FIELDS.prefix), Buffer.of(0x2f), name]);
}

function textOf(record: Uint8Array, field: Field): string {
  if (record[field.at] === 0) return '';
  return Buffer.from(record.buffer, record.byteOffset + field.at, endOf(record, field) - field.at).toString('utf8');
}

function hasMagic(record: Uint8Array, magic: Uint8Array): boolean {
  for (let index = 0; index < magic.length; index += 1) {
    if (record[FIELDS.magic.at + index] !== magic[index]) return false;
  }
  return true;
}

/** Octal digits between optional spaces, ended by space, NUL or the field's end; NaN for anything else. */
function parseOctal(record: Uint8Array, field: Field): number {
  const end = field.at + field.size;
  let position = field.at;
  while (position < end && record[position] === SPACE) position += 1;
  let value = 0;
  for (; position < end; position += 1) {
    const byte = record[position] as number;
    if (byte === 0 || byte === SPACE) break;
    if (byte < 0x30 || byte > 0x37) return Number.NaN;
    value = value * 8 + byte - 0x30;
  }
  return value;
}

/** Base-256: the first bit is a flag, the rest a big-endian two's complement number. */
function parseBinary(record: Uint8Array, field: Field): bigint {
  let value = BigInt((record[field.at] as number) & 0x7f);
  if (value & 0x40n) value -= 0x80n;
  for (let index = 1; index < field.size; index += 1) {
    value = (value << 8n) | BigInt(record[field.at + index] as number);
  }
  return value;
}

/** A number that is not negative and counts exactly. Throws ARTIFACT_DAMAGED. */
export function parseNumber(record: Uint8Array, field: Field, what: string): number {
  const isBinary = ((record[field.at] as number) & BINARY_FLAG) !== 0;
  const value = isBinary ? Number(parseBinary(record, field)) : parseOctal(record, field);
  if (!Number.isSafeInteger(value) || value < 0) {
    throw damagedArchive(`a header in the archive has an impossible ${what}`);
  }
  return value;
}

/** Times may be negative. */
function parseTime(record: Uint8Array): number {
  const field = FIELDS.mtime;
  const isBinary = ((record[field.at] as number) & BINARY_FLAG) !== 0;
  const value = isBinary ? Number(parseBinary(record, field)) : parseOctal(record, field);
  if (!Number.isSafeInteger(value)) throw damagedArchive('a header in the archive has an impossible time');
  return value;
}
