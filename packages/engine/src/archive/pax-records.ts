/**
 * pax records: `<length> <key>=<value>\n`, where length counts the whole record in decimal, itself included.
 * Values are bytes: UTF-8 by the standard, anything after `hdrcharset=BINARY` and in extended attributes.
 */
import { AppError } from '@backupx/contracts/errors';

const SPACE = 0x20;
const EQUALS = 0x3d;
const NEWLINE = 0x0a;
const MAX_LENGTH_DIGITS = 10;

export interface PaxRecord {
  readonly key: string;
  /** A slice of the parsed buffer. */
  readonly value: Uint8Array;
}

function lengthPrefix(payloadBytes: number): string {
  // payload = " key=value\n"; the prefix counts its own digits.
  let total = payloadBytes + String(payloadBytes).length;
  total = payloadBytes + String(total).length;
  return String(total);
}

/** One record of a key and raw bytes. */
export function encodePaxRecord(key: string, value: Uint8Array): Buffer {
  const head = Buffer.from(` ${key}=`, 'utf8');
  const prefix = Buffer.from(lengthPrefix(head.byteLength + value.byteLength + 1), 'latin1');
  return Buffer.concat([prefix, head, value, Buffer.of(NEWLINE)]);
}

/** One record whose key and value are ASCII; the fast way for numbers and times. */
export function asciiPaxRecord(key: string, value: string): Buffer {
  const rest = ` ${key}=${value}\n`;
  return Buffer.from(lengthPrefix(rest.length) + rest, 'latin1');
}

/** Splits the data of an `x` or `g` member. Order and repetitions are kept. Throws ARTIFACT_DAMAGED. */
export function parsePaxRecords(data: Uint8Array): PaxRecord[] {
  const records: PaxRecord[] = [];
  let position = 0;
  while (position < data.byteLength) {
    // Some writers fill the rest with NUL.
    if (data[position] === 0) break;
    const length = readLength(data, position);
    const end = position + length.value;
    if (end > data.byteLength || data[end - 1] !== NEWLINE) throw damaged();
    const keyStart = length.end + 1;
    const equals = data.indexOf(EQUALS, keyStart);
    if (equals <= keyStart || equals >= end) throw damaged();
    records.push({
      key: Buffer.from(data.buffer, data.byteOffset + keyStart, equals - keyStart).toString('utf8'),
      value: data.subarray(equals + 1, end - 1),
    });
    position = end;
  }
  return records;
}

function readLength(data: Uint8Array, start: number): { value: number; end: number } {
  let value = 0;
  for (let at = start; at <= start + MAX_LENGTH_DIGITS && at < data.byteLength; at += 1) {
    const byte = data[at] ?? 0;
    if (byte === SPACE && at > start && value > 0) return { value, end: at };
    if (byte < 0x30 || byte > 0x39) break;
    value = value * 10 + byte - 0x30;
  }
  throw damaged();
}

function damaged(): AppError {
  return new AppError('ARTIFACT_DAMAGED', { reason: 'a pax header in the archive is malformed' });
}
