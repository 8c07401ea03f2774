import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { BlobIndex, BlobLookup } from './blob-index.ts';

function idOf(number: number): Buffer {
  return createHash('sha256').update(String(number)).digest();
}

function filled(count: number): BlobIndex {
  const index = new BlobIndex();
  for (let number = 0; number < count; number += 1) {
    if (number % 20 === 0) index.addPack(idOf(1_000_000 + number / 20));
    index.add({
      id: idOf(number),
      type: number % 7 === 0 ? 'tree' : 'data',
      packNumber: index.packCount - 1,
      offset: number * 3,
      storedLength: number + 33,
      plainLength: number % 2,
    });
  }
  return index;
}

it('finds every blob with its place, and none that is not there', () => {
  const index = filled(50_000);
  expect(index.count).toBe(50_000);
  for (let number = 0; number < 50_000; number += 1) {
    const entry = index.find(idOf(number));
    expect(entry).toBe(number);
    if (number % 997 !== 0) continue;
    expect(index.placeOf(entry)).toEqual({
      id: new Uint8Array(idOf(number)),
      type: number % 7 === 0 ? 'tree' : 'data',
      packNumber: Math.floor(number / 20),
      offset: number * 3,
      storedLength: number + 33,
      plainLength: number % 2,
    });
    expect(Buffer.from(index.packId(index.packOf(entry)))).toEqual(idOf(1_000_000 + Math.floor(number / 20)));
    expect(index.plainSizeOf(entry)).toBe(number % 2 || number + 1);
  }
  expect(index.find(idOf(50_001))).toBe(-1);
  expect(index.find(idOf(7), 'data')).toBe(-1);
  expect(index.find(idOf(7), 'tree')).toBe(7);
});

it('makes its table at once when it is told what to expect, and keeps what is there', () => {
  const index = filled(5000);
  const lengthOf = () => index.share().table.length;
  index.expect(90_000);
  expect(lengthOf()).toBe(131_072);
  for (let number = 0; number < 5000; number += 1) expect(index.find(idOf(number))).toBe(number);
  index.expect(1);
  expect(lengthOf()).toBe(131_072);
  const { packNumber } = index.placeOf(0);
  for (let number = 5000; number < 200_000; number += 1) {
    index.add({ id: idOf(number), type: 'data', packNumber, offset: 0, storedLength: 33, plainLength: 0 });
  }
  expect(lengthOf()).toBe(524_288);
  expect([0, 4999, 5000, 199_999].map((number) => index.find(idOf(number)))).toEqual([0, 4999, 5000, 199_999]);
});

it('keeps further places of the same blob', () => {
  const index = filled(1000);
  const place = { ...index.placeOf(5), id: idOf(5), packNumber: 0 };
  const second = index.add({ ...place, offset: 77 });
  const third = index.add({ ...place, offset: 78 });
  expect(index.find(idOf(5))).toBe(5);
  expect(index.nextSame(5)).toBe(second);
  expect(index.nextSame(second)).toBe(third);
  expect(index.nextSame(third)).toBe(-1);
  expect(index.nextSame(6)).toBe(-1);
});

/** All the memory that a full index refers to, each buffer once. */
function heldBytes(index: BlobIndex): number {
  const { table, segments, types } = index.share();
  const buffers = new Set([table, ...segments, ...types].map(({ buffer }) => buffer));
  for (let pack = 0; pack < index.packCount; pack += 1) buffers.add(index.packId(pack).buffer);
  return [...buffers].reduce((sum, { byteLength }) => sum + byteLength, 0);
}

it('keeps a blob in 75 bytes at most, all included, and also while its table grows', () => {
  const index = new BlobIndex();
  const id = Buffer.alloc(32);
  let [grown, worst] = [0, 0];
  let { table } = index.share();
  for (let number = 0; number < 200_000; number += 1) {
    // Equal but for eight bytes, of which the first four, the hash, are spread.
    id.writeUInt32LE(Math.imul(number, 0x9e3779b1) >>> 0, 0);
    id.writeUInt32LE(number, 4);
    // Large chunks: sixteen fill a pack, and no index has more packs per blob.
    if (number % 16 === 0) index.addPack(id);
    index.add({ id, type: 'data', packNumber: number >> 4, offset: 0, storedLength: 33, plainLength: 0 });
    const old = table;
    table = index.share().table;
    if (old === table || number < 90_000) continue;
    // Both tables are there while the new one is filled.
    worst = Math.max(worst, (heldBytes(index) + old.byteLength) / index.count);
    grown += 1;
  }
  expect(grown).toBe(2);
  expect(worst).toBeLessThan(75);
  expect(heldBytes(index)).toBe(index.memoryBytes);
  expect(index.memoryBytes / index.count).toBeLessThan(65);
});

it('gives the ids of many packs', () => {
  const index = new BlobIndex();
  const first = index.packId(index.addPack(idOf(0)));
  for (let number = 1; number < 5000; number += 1) expect(index.addPack(idOf(number))).toBe(number);
  for (let number = 0; number < 5000; number += 1) expect(Buffer.from(index.packId(number))).toEqual(idOf(number));
  // What was handed out before is still the same.
  expect(Buffer.from(first)).toEqual(idOf(0));
  expect(() => index.packId(5000)).toThrow(RangeError);
});

it('lets another thread look ids up by type', () => {
  const index = filled(5000);
  const lookup = new BlobLookup(structuredClone(index.share()));
  expect(lookup.has(idOf(14), 'tree')).toBe(true);
  expect(lookup.has(idOf(14), 'data')).toBe(false);
  expect(lookup.has(idOf(15), 'data')).toBe(true);
  expect(lookup.has(idOf(5001), 'data')).toBe(false);
});
