import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { BlobIdSet } from './blob-id-set.ts';

const idOf = (number: number) => createHash('sha256').update(`id ${number}`).digest();

it('tells new ids from known ones, also after it grew', () => {
  const set = new BlobIdSet();
  for (let number = 0; number < 30_000; number += 1) if (!set.add(idOf(number))) throw new Error(`${number} is new`);
  for (let number = 0; number < 30_000; number += 1) if (set.add(idOf(number))) throw new Error(`${number} is known`);
  expect(set.size).toBe(30_000);
});

it('tells ids apart that begin alike', () => {
  const set = new BlobIdSet();
  const [first, second] = [Buffer.alloc(32, 7), Buffer.alloc(32, 7)];
  second[15] = 8;
  expect([set.add(first), set.add(second), set.add(first), set.add(second)]).toEqual([true, true, false, false]);
});
