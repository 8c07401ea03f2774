import fc from 'fast-check';
import { expect, it } from 'vitest';
import { MAX_GAP_BYTES, MAX_REQUEST_BYTES, type NeededBlob, planRequests } from './plan-requests.ts';

const needed = (packNumber: number, offset: number, storedLength: number, entry = offset): NeededBlob<string> => ({
  ...{ entry, packNumber, offset, storedLength },
  order: 0,
  targets: [],
});

/** In the order of the list. */
const plan = (blobs: NeededBlob<string>[]) => planRequests(blobs.map((blob, order) => ({ ...blob, order })));

const ranges = (blobs: NeededBlob<string>[]) =>
  plan(blobs).map(({ packNumber, start, end }) => [packNumber, start, end]);

it('reads neighbours at once and leaves out what lies far between', () => {
  const blobs = [needed(1, 0, 100), needed(1, 100, 100), needed(1, 200 + MAX_GAP_BYTES, 50)];
  expect(ranges(blobs)).toEqual([[1, 0, 250 + MAX_GAP_BYTES]]);
  expect(ranges([...blobs.slice(0, 2), needed(1, 201 + MAX_GAP_BYTES, 50)])).toEqual([
    [1, 0, 200],
    [1, 201 + MAX_GAP_BYTES, 251 + MAX_GAP_BYTES],
  ]);
});

it('begins with what is needed first', () => {
  const blobs = [needed(2, 500, 10), needed(1, 0, 10), needed(2, 0, 10)];
  expect(plan(blobs).map(({ blobs: inOrder }) => inOrder.map(({ offset }) => offset))).toEqual([[500, 0], [0]]);
});

it('gives a blob that is larger than a request its own', () => {
  const large = needed(1, 10, MAX_REQUEST_BYTES + 1);
  expect(ranges([needed(1, 0, 10), large, needed(1, MAX_REQUEST_BYTES + 11, 5)])).toHaveLength(3);
});

/** Packs full of blobs of any size, and some of them needed, in any order. */
const anyNeed = fc
  .array(fc.array(fc.integer({ min: 32, max: 3_000_000 }), { minLength: 1, maxLength: 20 }), { maxLength: 5 })
  .chain((packs) => {
    const all = packs.flatMap((lengths, pack) => {
      let offset = 0;
      return lengths.map((length, number) => {
        const blob = needed(pack, offset, length, pack * 1000 + number);
        offset += length;
        return blob;
      });
    });
    return fc.shuffledSubarray(all);
  });

it('reads each blob exactly once, in bounded stretches without large gaps', () => {
  fc.assert(
    fc.property(anyNeed, (blobs) => {
      const requests = plan(blobs);
      const read = requests.flatMap((request) => request.blobs);
      expect(read.map(({ entry }) => entry).sort()).toEqual(blobs.map(({ entry }) => entry).sort());
      for (const { packNumber, start, end, blobs: inside } of requests) {
        expect(end - start <= MAX_REQUEST_BYTES || inside.length === 1).toBe(true);
        let reached = start;
        for (const blob of [...inside].sort((a, b) => a.offset - b.offset)) {
          expect(blob.packNumber).toBe(packNumber);
          expect(blob.offset).toBeGreaterThanOrEqual(reached);
          expect(blob.offset - reached).toBeLessThanOrEqual(MAX_GAP_BYTES);
          reached = blob.offset + blob.storedLength;
        }
        expect(reached).toBe(end);
        const orders = inside.map(({ order }) => order);
        expect(orders).toEqual([...orders].sort((a, b) => a - b));
        expect(orders.every((order, at) => blobs[order]?.entry === inside[at]?.entry)).toBe(true);
      }
    }),
  );
});

it('does not split what fits together', () => {
  fc.assert(
    fc.property(anyNeed, (blobs) => {
      const byStart = [...plan(blobs)].sort((a, b) => a.packNumber - b.packNumber || a.start - b.start);
      for (const [index, request] of byStart.entries()) {
        const next = byStart[index + 1];
        if (!next || next.packNumber !== request.packNumber) continue;
        const first = next.blobs.find(({ offset }) => offset === next.start);
        const isFar = next.start - request.end > MAX_GAP_BYTES;
        const isTooMuch = next.start + (first?.storedLength ?? 0) - request.start > MAX_REQUEST_BYTES;
        expect(isFar || isTooMuch).toBe(true);
      }
    }),
  );
});
