import { expect, it } from 'vitest';
import { sourceDrivers } from './index.ts';
import { sourceReaders } from './readers.ts';

it('has the reading half of every source, and no other', () => {
  expect(Object.keys(sourceReaders).sort()).toEqual(sourceDrivers.map((driver) => driver.type).sort());
  for (const driver of sourceDrivers) {
    const { entries, countTotals, ancestors } = driver;
    expect(sourceReaders[driver.type]).toEqual({ entries, countTotals, ancestors });
  }
});
