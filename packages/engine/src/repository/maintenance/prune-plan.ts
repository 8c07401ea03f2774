/**
 * What a prune does with each pack; restic's rules (internal/repository/prune.go). Packs without anything needed go.
 * Those with some waste are packed anew, the worst first, until little enough waste is left; trees and mixed packs
 * always, since they are read often; small packs when there are ten at least.
 */
import type { BitSet } from '../bit-set.ts';
import type { PackTable } from './pack-table.ts';

export interface PruneLimits {
  /** Share of unused bytes that may stay, 0 to 1. */
  readonly maxUnusedShare: number;
  /** Bytes of packs that may be packed anew, besides those that must go; null: unlimited. */
  readonly maxRepackBytes: number | null;
}

export interface PlanParts extends PruneLimits {
  readonly table: PackTable;
  /** One entry per blob that is needed, see `chooseCopies`. */
  readonly chosen: BitSet;
  /** Version of the format: since 2 trees are always compressed. */
  readonly version: 1 | 2;
  /** Packs that must go whatever they hold. */
  readonly mustGo?: (pack: number) => boolean;
}

export interface PrunePlan {
  /** Nothing in them is needed; ascending. */
  readonly remove: readonly number[];
  /** Needed entries of these go into new packs first; in the order to do it. */
  readonly repack: readonly number[];
  /** Bytes of all packs in the index. */
  readonly packBytes: number;
  /** Bytes of unneeded blobs that stay. */
  readonly unusedLeft: number;
}

interface Pack {
  readonly number: number;
  readonly used: number;
  readonly unused: number;
  /** Holds trees, alone or mixed with data. */
  readonly hasTrees: boolean;
  readonly isMixed: boolean;
  readonly mustCompress: boolean;
}

const MIN_PACK_BYTES = 4 * 1024 * 1024;
const MIN_SMALL_PACKS = 10;

/** Decides; changes nothing. */
export function planPrune(parts: PlanParts): PrunePlan {
  const { sizes } = parts.table;
  const smallBelow = smallPackLimit(sizes);
  const { remove, candidates, used, unused } = sortOut(parts, smallBelow);
  candidates.sort((a, b) => byUrgency(a, b, parts, smallBelow));
  const maxUnused = parts.maxUnusedShare >= 1 ? Infinity : (parts.maxUnusedShare / (1 - parts.maxUnusedShare)) * used;
  const maxRepack = parts.maxRepackBytes ?? Infinity;
  const repack: number[] = [];
  let [repackBytes, unusedLeft] = [0, unused];
  for (const pack of candidates) {
    const isOverLimit = repackBytes + sizeOf(pack) > maxRepack;
    const isTolerable = unusedLeft <= maxUnused && sizeOf(pack) >= smallBelow && !pack.hasTrees && !pack.mustCompress;
    if (!parts.mustGo?.(pack.number) && (isOverLimit || isTolerable)) continue;
    repack.push(pack.number);
    repackBytes += sizeOf(pack);
    unusedLeft -= pack.unused;
  }
  return { remove, repack, packBytes: sizes.reduce((sum, size) => sum + size, 0), unusedLeft };
}

function sortOut(parts: PlanParts, smallBelow: number) {
  const remove: number[] = [];
  const candidates: Pack[] = [];
  const small: Pack[] = [];
  let [used, unused] = [0, 0];
  for (let number = 0; number < parts.table.count; number += 1) {
    const pack = describePack(parts, number);
    used += pack.used;
    if (pack.used === 0) {
      remove.push(number);
      continue;
    }
    unused += pack.unused;
    if (pack.unused > 0 || pack.isMixed || pack.mustCompress || parts.mustGo?.(number)) candidates.push(pack);
    else if (sizeOf(pack) < smallBelow) small.push(pack);
  }
  if (small.length >= MIN_SMALL_PACKS) candidates.push(...small);
  return { remove, candidates, used, unused };
}

function sizeOf(pack: Pack): number {
  return pack.used + pack.unused;
}

function describePack({ table, chosen, version }: PlanParts, number: number): Pack {
  const { index } = table;
  let [used, unused, trees, blobs] = [0, 0, 0, 0];
  let isUncompressed = false;
  for (const entry of table.entriesOf(number)) {
    blobs += 1;
    if (index.typeOf(entry) === 'tree') trees += 1;
    if (index.plainLengthOf(entry) === 0) isUncompressed = true;
    if (chosen.has(entry)) used += index.storedLengthOf(entry);
    else unused += index.storedLengthOf(entry);
  }
  const hasTrees = trees > 0;
  return {
    number,
    used,
    unused,
    hasTrees,
    isMixed: hasTrees && trees < blobs,
    mustCompress: version >= 2 && trees === blobs && isUncompressed,
  };
}

/** 0.8 × max(4 MiB, 3rd percentile): below that a pack counts as small. */
function smallPackLimit(sizes: Float64Array): number {
  if (sizes.length === 0) return 0;
  const percentile = Float64Array.from(sizes).sort()[Math.floor((sizes.length * 3) / 100)] ?? 0;
  return Math.max(MIN_PACK_BYTES, percentile) * 0.8;
}

/** Packs that must go, then trees, then small ones, then by their share of waste. */
function byUrgency(a: Pack, b: Pack, parts: PlanParts, smallBelow: number): number {
  const first = (isFirst: (pack: Pack) => boolean) => Number(isFirst(b)) - Number(isFirst(a));
  return (
    first(({ number }) => parts.mustGo?.(number) ?? false) ||
    first(({ hasTrees }) => hasTrees) ||
    first((pack) => sizeOf(pack) < smallBelow) ||
    b.unused * a.used - a.unused * b.used ||
    a.number - b.number
  );
}
