/**
 * What extended headers say about a member: global records, then its own, which win. Sparse maps in pax records
 * (GNU formats 0.0 and 0.1) are collected here too.
 */
import type { PaxRecord } from './pax-records.ts';
import { MAX_READ_SEGMENTS } from './sparse-map.ts';
import { XATTR_PREFIX } from './tar-format.ts';
import { damagedArchive } from './tar-header-parser.ts';

const NS_DIGITS = 9;

export interface PaxAttributes {
  readonly values: ReadonlyMap<string, Uint8Array>;
  /** Offsets and lengths in turn; null when there is no map in the records. */
  readonly sparsePairs: readonly number[] | null;
}

/** Joins records, later ones winning; an empty value takes a key back. */
export function joinPaxRecords(records: readonly PaxRecord[]): PaxAttributes {
  const values = new Map<string, Uint8Array>();
  let pairs: number[] | null = null;
  for (const { key, value } of records) {
    if (key === 'GNU.sparse.offset' || key === 'GNU.sparse.numbytes') {
      pairs ??= [];
      pairs.push(wholeNumber(value, key));
    } else if (key === 'GNU.sparse.map') pairs = parseMapRecord(value);
    else if (value.byteLength === 0 && !key.startsWith(XATTR_PREFIX)) values.delete(key);
    else values.set(key, value);
    if (pairs && pairs.length > 2 * MAX_READ_SEGMENTS) throw damagedArchive('the map of a sparse file is too long');
  }
  return { values, sparsePairs: pairs };
}

function parseMapRecord(value: Uint8Array): number[] {
  const text = textOfValue(value);
  if (text === '') return [];
  return text.split(',').map((number) => wholeNumberOf(number, 'GNU.sparse.map'));
}

export function textOfValue(value: Uint8Array): string {
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('utf8');
}

export function wholeNumber(value: Uint8Array, key: string): number {
  return wholeNumberOf(textOfValue(value), key);
}

function wholeNumberOf(text: string, key: string): number {
  const number = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(number)) throw damagedArchive(`the archive gives an impossible number for ${key}`);
  return number;
}

/** `-12.5` seconds as nanoseconds; digits beyond the ninth are dropped. */
export function parsePaxTime(value: Uint8Array): bigint {
  const match = /^(-?)(\d{1,18})(?:\.(\d*))?$/.exec(textOfValue(value));
  if (!match) throw damagedArchive('the archive gives an impossible time');
  const fraction = (match[3] ?? '').slice(0, NS_DIGITS).padEnd(NS_DIGITS, '0');
  const magnitude = BigInt(`${match[2]}${fraction}`);
  return match[1] ? -magnitude : magnitude;
}

/** Extended attributes of the member, or null. */
export function xattrsOf(values: ReadonlyMap<string, Uint8Array>): Map<string, Uint8Array> | null {
  let xattrs: Map<string, Uint8Array> | null = null;
  for (const [key, value] of values) {
    if (!key.startsWith(XATTR_PREFIX)) continue;
    xattrs ??= new Map();
    const name = key.slice(XATTR_PREFIX.length).replaceAll('%3D', '=').replaceAll('%25', '%');
    xattrs.set(name, value);
  }
  return xattrs;
}
