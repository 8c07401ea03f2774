import { expect, it } from 'vitest';
import { drivers } from './drivers.ts';
import { loadDrivers } from './load-drivers.ts';
import { sourcesByType } from './sources/by-type.ts';
import { storagesByType } from './storages/by-type.ts';

const typesOf = (list: readonly { readonly type: string }[]) => list.map(({ type }) => type).sort();
const target = { type: 'local_disk', config: { basePath: '/srv' }, id: 1 };

it('knows drivers by their type', async () => {
  for (const [type, load] of Object.entries(sourcesByType)) {
    expect(await load()).toBe(drivers.sources.find((driver) => driver.type === type));
  }
  for (const [type, load] of Object.entries(storagesByType)) {
    expect(await load()).toBe(drivers.storages.find((driver) => driver.type === type));
  }
});

it('loads what a job names, wherever it stands', async () => {
  const job = {
    source: { type: 'file', config: {} },
    repositories: [{ target }],
    targets: [{ type: 's3', config: {} }],
  };
  const loaded = await loadDrivers(job);
  expect(typesOf(loaded.sources)).toEqual(['file']);
  expect(typesOf(loaded.storages)).toEqual(['local_disk', 's3']);
  const { sources, storages } = await loadDrivers({
    target,
    note: { type: 'mysql' },
    artifact: { target: { type: 'rest', config: {} } },
  });
  expect([sources, typesOf(storages)]).toEqual([[], ['local_disk']]);
});

it('has all of them for no job in particular, and to say what there is', async () => {
  expect(await loadDrivers(null)).toBe(drivers);
  expect(await loadDrivers({ source: { type: 'floppy', config: {} } })).toBe(drivers);
});
