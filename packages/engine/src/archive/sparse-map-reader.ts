/** Reading of sparse maps that stand in the data of an archive: old GNU headers and GNU format 1.0. */
import type { ByteSource } from './byte-source.ts';
import { damagedMap, MAX_READ_SEGMENTS } from './sparse-map.ts';
import { GNU_SPARSE, GNU_SPARSE_EXTENSION, RECORD_BYTES } from './tar-format.ts';
import { parseNumber } from './tar-header-parser.ts';

const NUMBER_FIELD_BYTES = 12;
const MAX_DIGITS = 16;
const NEWLINE = 0x0a;

/** Map of an old GNU sparse member (`S`): in its header, and in extension records behind it. Throws ARTIFACT_DAMAGED. */
export async function readOldSparseMap(
  source: ByteSource,
  header: Uint8Array,
): Promise<{ readonly pairs: number[]; readonly sizeBytes: number }> {
  const pairs: number[] = [];
  appendPairs(pairs, header, GNU_SPARSE.pairsAt, GNU_SPARSE.pairs);
  const sizeBytes = parseNumber(header, { at: GNU_SPARSE.realSizeAt, size: NUMBER_FIELD_BYTES }, 'size');
  let hasMore = header[GNU_SPARSE.moreAt] !== 0;
  while (hasMore) {
    const record = await source.take(RECORD_BYTES);
    if (!record || pairs.length > 2 * MAX_READ_SEGMENTS) throw damagedMap();
    appendPairs(pairs, record, 0, GNU_SPARSE_EXTENSION.pairs);
    hasMore = record[GNU_SPARSE_EXTENSION.moreAt] !== 0;
  }
  return { pairs, sizeBytes };
}

function appendPairs(pairs: number[], record: Uint8Array, start: number, count: number): void {
  for (let index = 0; index < count; index += 1) {
    const at = start + index * 2 * NUMBER_FIELD_BYTES;
    // An unused pair is all zeros.
    if (record[at] === 0 && record[at + NUMBER_FIELD_BYTES] === 0) return;
    pairs.push(
      parseNumber(record, { at, size: NUMBER_FIELD_BYTES }, 'offset'),
      parseNumber(record, { at: at + NUMBER_FIELD_BYTES, size: NUMBER_FIELD_BYTES }, 'length'),
    );
  }
}

/** Collects the numbers of a 1.0 map: how many pairs there are, then the pairs. */
class MapNumbers {
  readonly pairs: number[] = [];
  #wanted = -1;
  #value = 0;
  #digits = 0;

  get isComplete(): boolean {
    return this.#wanted >= 0 && this.pairs.length >= this.#wanted;
  }

  push(byte: number): void {
    if (byte === NEWLINE && this.#digits > 0) {
      this.#endNumber();
      return;
    }
    this.#digits += 1;
    if (byte < 0x30 || byte > 0x39 || this.#digits > MAX_DIGITS) throw damagedMap();
    this.#value = this.#value * 10 + byte - 0x30;
  }

  #endNumber(): void {
    if (this.#wanted >= 0) this.pairs.push(this.#value);
    else if (this.#value > MAX_READ_SEGMENTS) throw damagedMap();
    else this.#wanted = 2 * this.#value;
    this.#value = 0;
    this.#digits = 0;
  }
}

/** Map of format 1.0: decimal lines in whole records before the data, at most `storedBytes`. Throws ARTIFACT_DAMAGED. */
export async function readSparseMap10(
  source: ByteSource,
  storedBytes: number,
): Promise<{ readonly pairs: number[]; readonly mapBytes: number }> {
  const numbers = new MapNumbers();
  let mapBytes = 0;
  while (!numbers.isComplete) {
    const record = mapBytes + RECORD_BYTES <= storedBytes ? await source.take(RECORD_BYTES) : null;
    if (!record) throw damagedMap();
    mapBytes += RECORD_BYTES;
    for (let index = 0; index < RECORD_BYTES && !numbers.isComplete; index += 1) numbers.push(record[index] as number);
  }
  return { pairs: numbers.pairs, mapBytes };
}
