import { expect, it } from 'vitest';
import { FIRST_PART_BYTES, MAX_PARTS, partSizeBytes } from './part-sizes.ts';

it('holds more than 5 TB in 10,000 parts of at most 1 GiB', () => {
  let total = 0;
  for (let part = 1; part <= MAX_PARTS; part++) {
    total += partSizeBytes(part);
    expect(partSizeBytes(part)).toBeLessThanOrEqual(1024 ** 3);
  }
  expect(total).toBeGreaterThan(5e12);
});

it('keeps parts small for ordinary objects', () => {
  expect(partSizeBytes(1)).toBe(FIRST_PART_BYTES);
  let sent = 0;
  let part = 0;
  while (sent < 10 * 1024 ** 3) sent += partSizeBytes(++part);
  expect(partSizeBytes(part)).toBeLessThanOrEqual(2 * FIRST_PART_BYTES + 1024 ** 2);
});

it('divides a known size evenly', () => {
  expect(partSizeBytes(1, 1e12)).toBe(partSizeBytes(9000, 1e12));
  expect(partSizeBytes(1, 1e12) * MAX_PARTS).toBeGreaterThan(1e12);
  expect(partSizeBytes(1, 1e12)).toBeLessThan(110e6);
  expect(partSizeBytes(5000, 1000)).toBe(FIRST_PART_BYTES);
});
