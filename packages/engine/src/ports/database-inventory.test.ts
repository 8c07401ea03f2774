import { expect, it } from 'vitest';
import { countObjects, formatInventory, missingObjects, parseInventory } from './database-inventory.ts';

const inventory = {
  format: 1 as const,
  server: 'PostgreSQL 15.18',
  tool: 'pg_dump 15.18',
  database: 'shop',
  objects: [
    { kind: 'view', name: 'public.v' },
    { kind: 'table', name: 'public.b', rows: 2 },
    { kind: 'table', name: 'public.a', rows: 1 },
  ],
  details: { owner: 'o', encoding: 'UTF8' },
};

it('has the same text whatever the order, and comes back', () => {
  const text = formatInventory(inventory);
  const details = { encoding: 'UTF8', owner: 'o' };
  expect(formatInventory({ ...inventory, objects: inventory.objects.toReversed(), details })).toBe(text);
  expect(parseInventory(text).objects.map(({ name }) => name)).toEqual(['public.a', 'public.b', 'public.v']);
  expect(() => parseInventory('{"format":2}')).toThrow('cannot be read');
});

it('says what is missing and what has other rows', () => {
  const found = [
    { kind: 'table', name: 'public.a' },
    { kind: 'table', name: 'public.b', rows: 1 },
  ];
  expect(missingObjects(inventory.objects, found)).toEqual([
    'view public.v is missing',
    'table public.b has 1 rows instead of 2',
  ]);
  expect(missingObjects(inventory.objects, inventory.objects)).toEqual([]);
  expect(countObjects(inventory.objects)).toBe('2 tables, 1 view');
});
