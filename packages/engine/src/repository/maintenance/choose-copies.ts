import { BitSet } from '../bit-set.ts';
import type { BlobIndex } from '../blob-index.ts';
import type { PackTable } from './pack-table.ts';

export interface ChooseCopiesOptions {
  readonly table: PackTable;
  /** First entries of the blobs that are needed. */
  readonly live: BitSet;
  /** False for packs whose blobs cannot be had. */
  readonly isUsable: (pack: number) => boolean;
  /** Packs to take a blob from only when no other has it. */
  readonly isLastResort?: (pack: number) => boolean;
}

export interface ChosenCopies {
  /** One entry for each blob that is needed. */
  readonly chosen: BitSet;
  /** First entries of blobs that no usable pack has. */
  readonly lost: readonly number[];
}

const MAX_LOST = 1000;

/**
 * Decides for each blob that is needed which of its copies counts; the others are waste then. A copy in a pack that is
 * needed anyway comes first, then one in a pack of nothing but copies: an interrupted repack wrote that.
 */
export function chooseCopies(options: ChooseCopiesOptions): ChosenCopies {
  const { table, live } = options;
  const { index } = table;
  const chosen = new BitSet(index.count);
  const lost: number[] = [];
  const several: number[] = [];
  const chosenIn = new Uint32Array(table.count);
  const copiesIn = new Uint32Array(table.count);
  const choose = (entry: number) => {
    chosen.add(entry);
    increment(chosenIn, table.packOf(entry));
  };
  for (const first of live) {
    const copies = copiesOf(index, first, options);
    if (copies.length > 1) {
      several.push(first);
      for (const entry of copies) increment(copiesIn, table.packOf(entry));
    } else if (copies[0] !== undefined) choose(copies[0]);
    else if (lost.length < MAX_LOST) lost.push(first);
  }
  const rank = (entry: number) => {
    const pack = table.packOf(entry);
    if (options.isLastResort?.(pack)) return 3;
    if ((chosenIn[pack] ?? 0) > 0) return 0;
    return copiesIn[pack] === table.allEntriesOf(pack).length ? 1 : 2;
  };
  for (const first of several) {
    const copies = copiesOf(index, first, options);
    choose(copies.reduce((best, entry) => (rank(entry) < rank(best) ? entry : best)));
  }
  return { chosen, lost };
}

function increment(counts: Uint32Array, at: number): void {
  counts[at] = (counts[at] ?? 0) + 1;
}

function copiesOf(index: BlobIndex, first: number, { table, isUsable }: ChooseCopiesOptions): number[] {
  const copies: number[] = [];
  for (let entry = first; entry >= 0; entry = index.nextSame(entry)) {
    if (!table.redundant.has(entry) && isUsable(table.packOf(entry))) copies.push(entry);
  }
  return copies;
}
