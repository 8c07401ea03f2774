import { expect, it } from 'vitest';
import { remakeViews, tellLeftOut, tellLostViews } from './restore-warnings.ts';

const view = { kind: 'view', name: 'v', reason: 'it cannot be opened (why)', definition: 'CREATE VIEW v AS …' };
const table = { kind: 'table', name: '#mysql50#a-b', reason: 'its file is called so' };

function logged(tell: (context: { log(level: string, text: string): void }) => void): string[] {
  const lines: string[] = [];
  tell({ log: (level, text) => void lines.push(`${level}: ${text}`) });
  return lines;
}

it('tells what a backup lacks, and what an undone swap does not bring back', () => {
  expect(logged((context) => tellLeftOut('shop', {}, context))).toEqual([]);
  expect(logged((context) => tellLeftOut('shop', { leftOut: [view, table] }, context))).toEqual([
    'warn: shop, as it was saved: view v is missing: it cannot be opened (why)',
    'warn: shop, as it was saved: table #mysql50#a-b is missing: its file is called so',
  ]);
  // Journals of earlier versions know none. Tables move and come back.
  expect(logged((context) => tellLostViews({ target: 'shop' }, context))).toEqual([]);
  expect(logged((context) => tellLostViews({ target: 'shop', leftOut: [view, table] }, context))).toEqual([
    expect.stringMatching(/^warn: shop: the view v .* is not made again .*CREATE VIEW v AS …$/),
  ]);
});

it('makes views again of which all is back, one of another too', async () => {
  const made: string[] = [];
  const query = async (sql: string) => {
    if (sql === 'there') throw new Error("ERROR 1050 (42S01) at line 1: Table 'v' already exists");
    if (sql === 'of none' || (sql === 'of b' && !made.includes('b'))) throw new Error('no');
    made.push(sql);
    return [];
  };
  const views = ['of b', 'b', 'of none', 'there'].map((definition) => ({ ...view, definition }));
  const { definition: _, ...unknown } = view;
  const entry = { target: 'shop', existed: true, leftOut: [...views, unknown, table] };
  const { leftOut } = await remakeViews({ query }, entry);
  expect([made, leftOut]).toEqual([
    ['b', 'of b'],
    [views[2], unknown],
  ]);
  expect(await remakeViews({ query }, { ...entry, existed: false })).toEqual({ target: 'shop', leftOut: [] });
});
