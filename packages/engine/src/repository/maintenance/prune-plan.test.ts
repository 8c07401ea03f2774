import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { BitSet } from '../bit-set.ts';
import { BlobIndex } from '../blob-index.ts';
import { PackTable } from './pack-table.ts';
import { type PlanParts, planPrune } from './prune-plan.ts';

const MIB = 1024 * 1024;

/** Sizes in MiB of what is needed of a pack and what is not. */
interface PackContent {
  readonly used?: number;
  readonly waste?: number;
  readonly type?: 'data' | 'tree';
  /** Needed blobs of the other type besides. */
  readonly mixed?: number;
  readonly isUncompressed?: boolean;
}

/** The plan for these packs, which are named by their place in the list. */
function plan(packs: readonly PackContent[], more: Partial<PlanParts> = {}) {
  const index = new BlobIndex();
  const chosen = new BitSet(packs.length);
  let blobs = 0;
  for (const { used = 0, waste = 0, type = 'data', mixed = 0, isUncompressed = false } of packs) {
    const packNumber = index.addPack(idOf(`pack ${index.packCount}`));
    const other = type === 'data' ? 'tree' : 'data';
    let offset = 0;
    const add = (sizeMib: number, kind: 'data' | 'tree'): number => {
      const storedLength = sizeMib * MIB;
      const blob = { id: idOf(`blob ${blobs++}`), type: kind, packNumber, offset, storedLength };
      offset += storedLength;
      return index.add({ ...blob, plainLength: isUncompressed ? 0 : 2 * storedLength });
    };
    if (used > 0) chosen.add(add(used, type));
    if (mixed > 0) chosen.add(add(mixed, other));
    if (waste > 0) add(waste, type);
  }
  const limits = { maxUnusedShare: 0, maxRepackBytes: null, version: 2 as const };
  const result = planPrune({ ...limits, table: new PackTable(index), chosen, ...more });
  return { ...result, unusedLeft: result.unusedLeft / MIB };
}

const idOf = (text: string): Buffer => createHash('sha256').update(text).digest();
const repeat = (count: number, content: PackContent): PackContent[] => Array.from({ length: count }, () => content);
const from = (first: number, count: number): number[] => Array.from({ length: count }, (_, at) => first + at);

const WHOLE: PackContent = { used: 16 };

it('removes packs that nobody needs, and leaves whole ones alone', () => {
  const packs = [{ waste: 16 }, WHOLE, { waste: 1, type: 'tree' as const }, WHOLE];
  expect(plan(packs)).toMatchObject({ remove: [0, 2], repack: [], unusedLeft: 0 });
  expect(plan(packs).packBytes).toBeGreaterThan(49 * MIB);
});

describe('share of waste that may stay', () => {
  const packs = [{ used: 15, waste: 1 }, { used: 4, waste: 12 }, WHOLE, { used: 10, waste: 6 }, { waste: 100 }];

  it('0: every pack with waste is packed anew, the worst first', () => {
    expect(plan(packs)).toMatchObject({ remove: [4], repack: [1, 3, 0], unusedLeft: 0 });
  });

  it('stops as soon as little enough is left; what is removed counts for nothing', () => {
    // 45 MiB are needed: 7 of 52 are 13.5 %, 1 of 46 is 2.2 %.
    expect(plan(packs, { maxUnusedShare: 0.14 })).toMatchObject({ repack: [1], unusedLeft: 7 });
    expect(plan(packs, { maxUnusedShare: 0.13 })).toMatchObject({ repack: [1, 3], unusedLeft: 1 });
    expect(plan(packs, { maxUnusedShare: 0.02 })).toMatchObject({ repack: [1, 3, 0], unusedLeft: 0 });
  });

  it('1: nothing is packed anew for its waste', () => {
    expect(plan(packs, { maxUnusedShare: 1 })).toMatchObject({ remove: [4], repack: [], unusedLeft: 19 });
  });
});

describe('small packs', () => {
  it('are joined from ten on', () => {
    const packs = (count: number) => [WHOLE, ...repeat(count, { used: 3 }), WHOLE];
    expect(plan(packs(9)).repack).toEqual([]);
    expect(plan(packs(10)).repack).toEqual(from(1, 10));
    // Also where waste may stay: they have none.
    expect(plan(packs(10), { maxUnusedShare: 1 }).repack).toEqual(from(1, 10));
  });

  it('are those below 80 % of 4 MiB', () => {
    expect(plan(repeat(10, { used: 3.19 })).repack).toHaveLength(10);
    expect(plan(repeat(10, { used: 3.21 })).repack).toEqual([]);
  });

  it('are those below 80 % of what all but the smallest 3 % have, where that is more', () => {
    const packs = (usual: number) => [...repeat(10, { used: 6 }), ...repeat(usual, WHOLE)];
    expect(plan(packs(330)).repack).toEqual(from(0, 10));
    // Now they are more than 3 %.
    expect(plan(packs(300)).repack).toEqual([]);
  });

  it('with waste are packed anew however few they are and whatever may stay, before large ones', () => {
    const packs = [{ used: 4, waste: 12 }, { used: 1.9, waste: 0.1 }, WHOLE];
    expect(plan(packs).repack).toEqual([1, 0]);
    expect(plan(packs, { maxUnusedShare: 1 }).repack).toEqual([1]);
  });
});

describe('trees', () => {
  it('come first, and keep no waste', () => {
    const packs: PackContent[] = [
      { used: 1, waste: 15 },
      { used: 15, waste: 1, type: 'tree' },
      { used: 1, waste: 1 },
      { used: 12, waste: 4, type: 'tree' },
    ];
    expect(plan(packs).repack).toEqual([3, 1, 2, 0]);
    expect(plan(packs, { maxUnusedShare: 1 }).repack).toEqual([3, 1, 2]);
  });

  it('are taken out of packs that hold data too, with or without waste', () => {
    const packs = [WHOLE, { used: 12, mixed: 4 }, { used: 12, type: 'tree' as const, mixed: 4 }];
    expect(plan(packs, { maxUnusedShare: 1 }).repack).toEqual([1, 2]);
  });

  it('are compressed since version 2; data may be as it is', () => {
    const packs: PackContent[] = [
      { used: 16, type: 'tree', isUncompressed: true },
      { used: 16, isUncompressed: true },
      { used: 16, type: 'tree' },
    ];
    expect(plan(packs, { maxUnusedShare: 1 }).repack).toEqual([0]);
    expect(plan(packs, { maxUnusedShare: 1, version: 1 }).repack).toEqual([]);
  });
});

describe('bytes that may be packed anew', () => {
  const packs: PackContent[] = [
    { used: 15, waste: 1 },
    { used: 10, waste: 6 },
    { used: 5, waste: 1 },
    { used: 2, waste: 1, type: 'tree' },
  ];

  it('go to the most urgent; one that is too large leaves its room to the next', () => {
    expect(plan(packs).repack).toEqual([3, 1, 2, 0]);
    expect(plan(packs, { maxRepackBytes: 19 * MIB })).toMatchObject({ repack: [3, 1], unusedLeft: 2 });
    expect(plan(packs, { maxRepackBytes: 18 * MIB })).toMatchObject({ repack: [3, 2], unusedLeft: 7 });
    expect(plan(packs, { maxRepackBytes: 0 })).toMatchObject({ repack: [], unusedLeft: 9 });
  });

  it('do not hold back what must go, which comes before all else', () => {
    const mustGo = (pack: number) => pack === 0;
    expect(plan(packs, { mustGo }).repack).toEqual([0, 3, 1, 2]);
    expect(plan(packs, { mustGo, maxRepackBytes: 0 }).repack).toEqual([0]);
    expect(plan(packs, { mustGo, maxUnusedShare: 1 }).repack).toEqual([0, 3]);
    // Nor does it stay where it is whole.
    expect(plan([WHOLE, WHOLE], { mustGo, maxUnusedShare: 1 }).repack).toEqual([0]);
  });
});
