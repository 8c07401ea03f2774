import { describe, expect, it } from 'vitest';
import type { TocEntry } from './archive-toc.ts';
import { selectEntries } from './select-entries.ts';

const entry = (
  dumpId: number,
  kind: string,
  tag: string,
  dependencies: number[] = [],
  namespace = 'public',
): TocEntry => ({
  ...{ dumpId, kind, tag, namespace, dependencies },
  ...{ owner: '', definition: '', tablespace: '', hasData: kind === 'TABLE DATA', file: '' },
});

const entries = [
  entry(1, 'SCHEMA', 'sales', [], ''),
  entry(2, 'TYPE', 'mood', [1], 'sales'),
  entry(3, 'FUNCTION', 'touch()'),
  entry(4, 'TABLE', 'customers', [1, 2], 'sales'),
  entry(5, 'TABLE', 'orders', [1], 'sales'),
  entry(6, 'TABLE', 'x.y'),
  entry(7, 'SEQUENCE', 'customers_id_seq', [1], 'sales'),
  entry(8, 'SEQUENCE OWNED BY', 'customers_id_seq', [7, 4], 'sales'),
  entry(9, 'DEFAULT', 'customers id', [7, 4], 'sales'),
  entry(10, 'TABLE DATA', 'customers', [4], 'sales'),
  entry(11, 'TABLE DATA', 'orders', [5], 'sales'),
  entry(12, 'CONSTRAINT', 'customers customers_pkey', [4], 'sales'),
  entry(13, 'TRIGGER', 'customers t', [4, 3], 'sales'),
  entry(14, 'FK CONSTRAINT', 'orders orders_fk', [5, 12], 'sales'),
  entry(15, 'VIEW', 'big', [5, 1], 'sales'),
  entry(16, 'DATABASE', 'shop', [], ''),
];
const ids = (schemas: string[], tables: string[]) =>
  [...selectEntries(entries, { schemas, tables }).ids].sort((a, b) => a - b);

describe('a table', () => {
  it('comes with what hangs on it and what it needs, and nothing else', () => {
    expect(ids([], ['sales.customers'])).toEqual([1, 2, 3, 4, 7, 8, 9, 10, 12, 13]);
  });

  it('leaves a foreign key behind whose other table was not chosen, and says so', () => {
    const { leftOut, ids: found } = selectEntries(entries, { schemas: [], tables: ['sales.orders'] });
    expect(leftOut).toEqual(['fk constraint sales."orders orders_fk"']);
    expect(found.has(14)).toBe(false);
    expect(ids([], ['sales.orders', 'sales.customers'])).toContain(14);
  });

  it('may have an odd name, or none of a schema', () => {
    expect(ids([], ['public.x.y'])).toEqual([6]);
    expect(ids([], ['public."x.y"'])).toEqual([6]);
    expect(ids([], ['x.y'])).toEqual([6]);
  });

  it('that is not there is named', () => {
    expect(selectEntries(entries, { schemas: ['gone'], tables: ['customers'] }).missing).toEqual(['gone', 'customers']);
  });
});

it('takes a schema whole', () => {
  expect(ids(['sales'], [])).toEqual([1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
});
