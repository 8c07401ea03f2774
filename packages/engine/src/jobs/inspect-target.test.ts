import { expect, it } from 'vitest';
import { z } from 'zod';
import { defineSource, type SourceDriver } from '../ports/source.ts';
import { createJobFixture } from '../testing/job-fixture.ts';
import { inspectTarget } from './inspect-target.ts';

const found = { server: 'db-1:5432', databases: [], notes: ['A note.'] };

function ask(product: string | undefined, savedServer?: string) {
  const driver = defineSource({
    ...{ type: 'shopdb', title: 'Shop', config: z.object({}), verify: 'structure' },
    entries: () => [],
    restore: () => Promise.reject(new Error('nothing is restored here')),
    inspectTarget: async () => ({ ...found, ...(product === undefined ? {} : { product }) }),
  });
  const { context } = createJobFixture({ storages: {}, sources: [driver as SourceDriver] });
  const source = { type: 'shopdb', config: {} };
  return inspectTarget({ kind: 'inspect_target', source, options: {}, entries: [], savedServer }, context);
}

it.each([
  ['PostgreSQL 15.18', 'PostgreSQL 18.4', 'newer'],
  ['PostgreSQL 18.4', 'PostgreSQL 15.18', 'older'],
  ['MySQL 8.4.0', 'MariaDB 10.11.2', 'other'],
])('says that a backup of %s would go to %s', async (saved, target, difference) => {
  expect(await ask(target, saved)).toEqual({ ...found, otherVersion: { saved, target, difference } });
});

it('says nothing where they are alike, where nobody asks, or where it does not matter', async () => {
  expect(await ask('PostgreSQL 15.2', 'PostgreSQL 15.18')).toEqual(found);
  expect(await ask('PostgreSQL 18.4')).toEqual(found);
  expect(await ask(undefined, 'PostgreSQL 15.18')).toEqual(found);
});

it('says that it is unknown', async () => {
  const unknown = { ...found, notes: ['A note.', expect.stringContaining('is unknown')] };
  expect(await ask('PostgreSQL 18.4', '')).toEqual(unknown);
  expect(await ask('Redis', 'Redis 7.0.15')).toEqual(unknown);
});
