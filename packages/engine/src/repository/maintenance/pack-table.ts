/**
 * The packs of an index, each once, with their blobs in order. An index may name a pack in several files (a crash
 * between writing a replacement and removing the old file leaves that); `BlobIndex` then has a number per mention,
 * here they are one. Typed arrays: four bytes per blob, about 70 per pack.
 */

import { BitSet } from '../bit-set.ts';
import type { BlobIndex } from '../blob-index.ts';
import { hashOfId } from '../blob-index.ts';
import { toHex } from '../format/blob-id.ts';

const PACK_TAIL_BYTES = 36;
const PLAIN_ENTRY_BYTES = 37;
const COMPRESSED_ENTRY_BYTES = 41;

export class PackTable {
  readonly index: BlobIndex;
  /** Distinct packs, numbered from 0 in the order of their first mention. */
  readonly count: number;
  /** Entries that say again what an earlier one says. */
  readonly redundant: BitSet;
  /** Bytes that each pack must have by what the index says. */
  readonly sizes: Float64Array;
  /** Mentions of each pack in index files. */
  readonly mentions: Uint32Array;
  readonly #numbers: Uint32Array;
  readonly #firstMention: Uint32Array;
  readonly #slots: Int32Array;
  readonly #starts: Uint32Array;
  readonly #entries: Uint32Array;

  constructor(index: BlobIndex) {
    this.index = index;
    this.#numbers = new Uint32Array(index.packCount);
    this.#slots = new Int32Array(tableLength(index.packCount)).fill(-1);
    const firstMentions: number[] = [];
    for (let mention = 0; mention < index.packCount; mention += 1) {
      const slot = this.#slotOf(index.packId(mention), firstMentions);
      if (this.#slots[slot] === -1) {
        this.#slots[slot] = firstMentions.length;
        firstMentions.push(mention);
      }
      this.#numbers[mention] = this.#slots[slot] ?? 0;
    }
    this.#firstMention = Uint32Array.from(firstMentions);
    this.count = firstMentions.length;
    this.mentions = new Uint32Array(this.count);
    for (const pack of this.#numbers) this.mentions[pack] = (this.mentions[pack] ?? 0) + 1;
    this.#starts = new Uint32Array(this.count + 1);
    this.#entries = new Uint32Array(index.count);
    this.#sortEntries();
    this.redundant = new BitSet(index.count);
    this.sizes = new Float64Array(this.count).fill(PACK_TAIL_BYTES);
    for (let pack = 0; pack < this.count; pack += 1) this.#measure(pack);
  }

  /** Number of the pack that holds an entry. */
  packOf(entry: number): number {
    return this.#numbers[this.index.packOf(entry)] ?? 0;
  }

  /** Number of a pack that an index file mentions. */
  packOfMention(mention: number): number {
    return this.#numbers[mention] ?? 0;
  }

  hexOf(pack: number): string {
    return toHex(this.index.packId(this.#firstMention[pack] ?? 0));
  }

  idOf(pack: number): Uint8Array {
    return this.index.packId(this.#firstMention[pack] ?? 0);
  }

  /** Number of the pack of that id, -1 when no index names it. */
  find(id: Uint8Array): number {
    return this.#slots[this.#slotOf(id, this.#firstMention)] ?? -1;
  }

  /** Entries of a pack by offset, those that repeat others included. */
  allEntriesOf(pack: number): Uint32Array {
    return this.#entries.subarray(this.#starts[pack] ?? 0, this.#starts[pack + 1] ?? 0);
  }

  /** Entries of a pack by offset, each blob once. */
  *entriesOf(pack: number): Generator<number> {
    for (const entry of this.allEntriesOf(pack)) if (!this.redundant.has(entry)) yield entry;
  }

  /** True when index files name the pack, or a blob in it, more than once. */
  isNamedTwice(pack: number): boolean {
    return (this.mentions[pack] ?? 0) > 1 || this.allEntriesOf(pack).some((entry) => this.redundant.has(entry));
  }

  /** True when several mentions of the pack do not say the same. */
  isContradictory(pack: number): boolean {
    const all = this.allEntriesOf(pack);
    const distinct = all.filter((entry) => !this.redundant.has(entry)).length;
    return (this.mentions[pack] ?? 0) > 1 && distinct * (this.mentions[pack] ?? 0) !== all.length;
  }

  #slotOf(id: Uint8Array, firstMentions: ArrayLike<number>): number {
    const mask = this.#slots.length - 1;
    for (let slot = hashOfId(id) & mask; ; slot = (slot + 1) & mask) {
      const pack = this.#slots[slot] ?? -1;
      if (pack === -1 || Buffer.compare(this.index.packId(firstMentions[pack] ?? 0), id) === 0) return slot;
    }
  }

  /** Counting sort by pack, then by offset where the order is not that already. */
  #sortEntries(): void {
    const { index } = this;
    for (let entry = 0; entry < index.count; entry += 1) {
      const after = this.packOf(entry) + 1;
      this.#starts[after] = (this.#starts[after] ?? 0) + 1;
    }
    for (let pack = 0; pack < this.count; pack += 1) {
      this.#starts[pack + 1] = (this.#starts[pack + 1] ?? 0) + (this.#starts[pack] ?? 0);
    }
    const next = this.#starts.slice();
    for (let entry = 0; entry < index.count; entry += 1) {
      const pack = this.packOf(entry);
      const at = next[pack] ?? 0;
      this.#entries[at] = entry;
      next[pack] = at + 1;
    }
    for (let pack = 0; pack < this.count; pack += 1) sortByOffset(index, this.allEntriesOf(pack));
  }

  #measure(pack: number): void {
    const { index } = this;
    let size = PACK_TAIL_BYTES;
    let last = -1;
    for (const entry of this.allEntriesOf(pack)) {
      if (last >= 0 && isSamePlace(index, last, entry)) {
        this.redundant.add(entry);
        continue;
      }
      size +=
        index.storedLengthOf(entry) + (index.plainLengthOf(entry) === 0 ? PLAIN_ENTRY_BYTES : COMPRESSED_ENTRY_BYTES);
      last = entry;
    }
    this.sizes[pack] = size;
  }
}

function tableLength(packs: number): number {
  let length = 16;
  while (length < packs * 2) length *= 2;
  return length;
}

function sortByOffset(index: BlobIndex, entries: Uint32Array): void {
  const byOffset = (a: number, b: number) => index.offsetOf(a) - index.offsetOf(b) || a - b;
  for (let at = 1; at < entries.length; at += 1) {
    if (byOffset(entries[at - 1] ?? 0, entries[at] ?? 0) > 0) {
      entries.sort(byOffset);
      return;
    }
  }
}

function isSamePlace(index: BlobIndex, a: number, b: number): boolean {
  return (
    index.offsetOf(a) === index.offsetOf(b) &&
    index.storedLengthOf(a) === index.storedLengthOf(b) &&
    index.plainLengthOf(a) === index.plainLengthOf(b) &&
    index.typeOf(a) === index.typeOf(b) &&
    Buffer.compare(index.idOf(a), index.idOf(b)) === 0
  );
}
